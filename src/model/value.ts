/**
 * Facts about sample values and timestamps that several layers share.
 *
 * The stale marker is a signalling NaN, 7ff0000000000002. V8 may turn it into the ordinary quiet NaN whenever it
 * passes through a number variable, so it is recognised on bits, in typed arrays, before anything else looks.
 */

/** High and low 32-bit halves of Prometheus' stale marker (model/value, StaleNaN). */
export const STALE_NAN_HI = 0x7ff00000;
export const STALE_NAN_LO = 0x00000002;

/** The smallest and largest timestamps that a query can name, in ms: Go's int64 limits as Prometheus uses them. */
export const MIN_TIME = -9007199254740991;
export const MAX_TIME = 9007199254740991;
