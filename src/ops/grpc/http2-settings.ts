/** What both sides set on HTTP/2 connections. */
import { type Http2Session, constants } from 'node:http2';

/** The media type of gRPC; messages are opaque here, so what follows a `+` makes no difference. */
export const CONTENT_TYPE = 'application/grpc';

/** Whether a content type is gRPC's. */
export function isGrpcContentType(value: string | undefined): boolean {
  return value !== undefined && /^application\/grpc(?:[+;].*)?$/i.test(value);
}

/**
 * limit: bytes that a peer may send on a stream, and on the connection, before we have taken them. perf: with HTTP/2's
 * 64 KiB every 64 KiB wait for a round trip.
 */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 8 * 1024 * 1024;

/** limit: bytes of metadata. Node takes 64 KiB, Go 16 MiB. */
const HEADER_BYTES_MAX = 1024 * 1024;

/**
 * Options of sessions of both sides. Node's defaults protect web servers from strangers; they end connections of peers
 * that cancel many calls, as queriers do, or that have many streams with full buffers.
 */
export const SESSION_OPTIONS = {
  settings: {
    initialWindowSize: STREAM_WINDOW_BYTES,
    enablePush: false,
    maxHeaderListSize: HEADER_BYTES_MAX,
  },
  maxHeaderListPairs: 1000,
  maxSendHeaderBlockLength: HEADER_BYTES_MAX,
  /** MB, of a session: streams times their buffers, which are bounded one by one. */
  maxSessionMemory: 4096,
  maxSessionRejectedStreams: 1_000_000,
  maxSessionInvalidFrames: 1000,
  maxOutstandingPings: 100,
  streamResetBurst: 1_000_000,
  streamResetRate: 100_000,
  /** Metadata may repeat names that HTTP has once. */
  strictSingleValueFields: false,
};

/** Widens the window of a connection that has just begun. */
export function widenWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
}

/** Error codes of HTTP/2 that we send or look for. */
export const {
  NGHTTP2_NO_ERROR: NO_ERROR,
  NGHTTP2_CANCEL: CANCEL,
  NGHTTP2_REFUSED_STREAM: REFUSED_STREAM,
  NGHTTP2_ENHANCE_YOUR_CALM: ENHANCE_YOUR_CALM,
  NGHTTP2_PROTOCOL_ERROR: PROTOCOL_ERROR,
} = constants;
