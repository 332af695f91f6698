/**
 * Facts about sample values and timestamps that several layers share.
 *
 * The stale marker is a signalling NaN, 7ff0000000000002. V8 may turn it into the ordinary quiet NaN whenever it
 * passes through a number variable, so it is recognised on bits, in typed arrays, before anything else looks.
 */

/** The high half of Prometheus' stale marker (model/value, StaleNaN). */
export const STALE_NAN_HI = 0x7ff00000;
/** The low half of the stale marker. */
export const STALE_NAN_LO = 0x00000002;

/** The smallest timestamp that a query can name, in ms; Go's int64 limits exist at the edges only. */
export const MIN_TIME = -9007199254740991;
/** The largest. */
export const MAX_TIME = 9007199254740991;
