/** `grpc-timeout`: up to eight digits and a unit. */
import { GrpcError } from './status.ts';

/** Units in milliseconds, finest first. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['n', 1e-6],
  ['u', 1e-3],
  ['m', 1],
  ['S', 1000],
  ['M', 60_000],
  ['H', 3_600_000],
];

/** The time in ms. @throws GrpcError Internal for anything else; texts: grpc-go internal/transport. */
export function parseTimeout(text: string): number {
  const fail = (reason: string): never => {
    throw new GrpcError('Internal', `malformed grpc-timeout: ${reason}`);
  };
  const quoted = JSON.stringify(text);
  if (text.length < 2) fail(`transport: timeout string is too short: ${quoted}`);
  if (text.length > 9) fail(`transport: timeout string is too long: ${quoted}`);
  const unit = UNITS.find(([name]) => text.endsWith(name));
  if (unit === undefined) return fail(`transport: timeout unit is not recognized: ${quoted}`);
  const digits = text.slice(0, -1);
  if (!/^\d+$/.test(digits)) {
    fail(`strconv.ParseUint: parsing ${JSON.stringify(digits)}: invalid syntax`);
  }
  return Number(digits) * unit[1];
}

/** A time in ms in the finest unit that has room for it, rounded up. */
export function formatTimeout(ms: number): string {
  for (const [unit, unitMs] of UNITS) {
    const count = Math.ceil(Math.max(ms, 0) / unitMs);
    if (count <= 99_999_999) return `${count}${unit}`;
  }
  return '99999999H';
}
