/** A time of meta.json as Go's time.Time, for templates: printed as Go prints it, with the methods that people use. */
import { GoFunction, GoStruct } from '../../lib/go-template/value.ts';
import { parseRfc3339 } from '../../lib/time-or-duration.ts';

const ZERO = '0001-01-01T00:00:00Z';

const PARTS = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-]\d\d):?(\d\d))$/;

/** The value of an RFC 3339 text, or Go's zero time when there is none. */
export function timeValue(text: string = ZERO): GoStruct {
  const ms = parseRfc3339(text) ?? 0;
  const [, date = '', clock = '', digits = '', hours = '+00', minutes = '00'] =
    PARTS.exec(text) ?? [];
  const fraction = digits.replace(/0+$/, '');
  const offset = hours + minutes;
  const zone = text.endsWith('Z') ? 'UTC' : offset;
  return new GoStruct({
    type: 'time.Time',
    fields: {},
    methods: {
      IsZero: new GoFunction([], () => text === ZERO),
      Unix: new GoFunction([], () => BigInt(Math.floor(ms / 1000))),
      UnixMilli: new GoFunction([], () => BigInt(ms)),
      Format: new GoFunction(['string'], (layout) =>
        formatTime({ date, clock, digits, offset, zone }, typeof layout === 'string' ? layout : ''),
      ),
    },
    text: () => `${date} ${clock}${fraction === '' ? '' : `.${fraction}`} ${offset} ${zone}`,
  });
}

/** A time in its own zone, in parts. */
interface TimeParts {
  /** `2026-11-01`. */
  readonly date: string;
  /** `15:04:05`. */
  readonly clock: string;
  /** Of the fraction of a second. */
  readonly digits: string;
  /** `+0000`. */
  readonly offset: string;
  readonly zone: string;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The words of Go's layouts, longest first; the fraction behind seconds is one. */
const LAYOUT =
  /January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|-07:00|-0700|-07|01|02|03|04|05|06|15|PM|pm|_2|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g;

/** A time by a layout of Go's: the words of its reference time, 2006-01-02T15:04:05-07:00. */
function formatTime({ date, clock, digits, offset, zone }: TimeParts, layout: string): string {
  const [year = '', month = '', day = ''] = date.split('-');
  const [hour = '', minute = '', second = ''] = clock.split(':');
  const twelve = Number(hour) % 12 || 12;
  const monthName = MONTHS[Number(month) - 1] ?? '';
  const dayName = DAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? '';
  const colon = `${offset.slice(0, 3)}:${offset.slice(3)}`;
  const words: Readonly<Record<string, string>> = {
    January: monthName,
    Jan: monthName.slice(0, 3),
    Monday: dayName,
    Mon: dayName.slice(0, 3),
    MST: zone,
    2006: year,
    'Z07:00': zone === 'UTC' ? 'Z' : colon,
    Z0700: zone === 'UTC' ? 'Z' : offset,
    '-07:00': colon,
    '-0700': offset,
    '-07': offset.slice(0, 3),
    '01': month,
    '02': day,
    '03': String(twelve).padStart(2, '0'),
    '04': minute,
    '05': second,
    '06': year.slice(2),
    15: hour,
    PM: Number(hour) < 12 ? 'AM' : 'PM',
    pm: Number(hour) < 12 ? 'am' : 'pm',
    _2: String(Number(day)).padStart(2),
    1: String(Number(month)),
    2: String(Number(day)),
    3: String(twelve),
    4: String(Number(minute)),
    5: String(Number(second)),
  };
  return layout.replaceAll(LAYOUT, (word) => words[word] ?? fractionOf(word, digits));
}

/** `.000`: so many digits; `.999`: without zeros at the end, or nothing. */
function fractionOf(word: string, digits: string): string {
  const cut = digits.padEnd(9, '0').slice(0, word.length - 1);
  if (word[1] === '0') return word.slice(0, 1) + cut;
  const trimmed = cut.replace(/0+$/, '');
  return trimmed === '' ? '' : word.slice(0, 1) + trimmed;
}
