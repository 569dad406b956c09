// Calls over gRPC-Web, with `fetch`: unary, and streams from the server. Knows the framing and the statuses; what the
// messages are is in `messages.js`.

import { BadRequest, ErrorInfo, RetryInfo, Status } from "./messages.js";
import { decode, encode } from "./wire.js";

const STATUSES = (
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED " +
  "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split(" ");
const PREFIX_BYTES = 5; // of a frame: flags, and the length of what follows
const TRAILERS = 0x80, COMPRESSED = 0x01;
const MAX_FRAME_BYTES = 64 * 2 ** 20; // the largest is a voice file of 32 MiB

/**
 * What the service answered instead. `status` is gRPC's name of it ("NOT_FOUND"), `reason` the service's
 * ("VOICE_NOT_FOUND"), `field` what is at fault in the request, `retryAfterS` when to try again, `metadata` what else
 * there is (`etag`: the current one).
 */
export class ServiceError extends Error {
  constructor(message, status, { reason = "", field = "", retryAfterS, metadata = {} } = {}) {
    super(message);
    this.name = "ServiceError";
    Object.assign(this, { status, reason, field, retryAfterS, metadata });
  }
}

/** One server, by the address of its web port ("" is where the page came from). `metadata` goes with every call. */
export class Connection {
  constructor(baseUrl = "", metadata = {}) {
    this.baseUrl = baseUrl.replace(/\/$/, "");
    this.metadata = metadata;
  }

  /** The answer to a unary call. Throws `ServiceError`. */
  async unary(method, request, options) {
    let answer;
    for await (const message of this.stream(method, request, options)) answer = message;
    if (answer === undefined) throw new ServiceError("there was no answer", "INTERNAL");
    return answer;
  }

  /**
   * The answers of a call, as they come. Throws `ServiceError`; CANCELLED once `signal` is aborted, or DEADLINE_EXCEEDED
   * after `timeoutMs`. Leaving the loop cancels the call.
   */
  async *stream(method, request, { signal, timeoutMs, metadata } = {}) {
    const leave = new AbortController();
    const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const signals = [leave.signal, signal, late].filter(Boolean);
    try {
      const response = await fetch(this.baseUrl + method.path, {
        method: "POST",
        headers: {
          "content-type": "application/grpc-web+proto",
          "x-grpc-web": "1",
          ...(timeoutMs === undefined ? {} : { "grpc-timeout": `${Math.max(1, Math.round(timeoutMs))}m` }),
          ...this.metadata,
          ...metadata,
        },
        body: frame(encode(method.request, request)),
        signal: AbortSignal.any(signals),
        cache: "no-store",
        credentials: "same-origin",
      });
      if (response.status !== 200) throw httpError(response.status, await response.text());
      let trailers;
      for await (const [flags, data] of frames(response.body)) {
        if (trailers || flags & COMPRESSED) throw new ServiceError("the answer is no gRPC-Web", "INTERNAL");
        if (flags === TRAILERS) trailers = readTrailers(data);
        else yield decode(method.response, data);
      }
      if (!trailers) throw new ServiceError("the answer ends in the middle", "UNAVAILABLE");
      if (trailers.get("grpc-status") !== "0") throw statusError(trailers);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      if (signal?.aborted) throw new ServiceError("the call was cancelled", "CANCELLED");
      if (late?.aborted) throw new ServiceError("the call took too long", "DEADLINE_EXCEEDED");
      if (error instanceof TypeError) throw new ServiceError("the server cannot be reached", "UNAVAILABLE");
      throw error;
    } finally {
      leave.abort();
    }
  }
}

function frame(message) {
  const framed = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** `[flags, bytes]` of a body, however it is cut. */
async function* frames(body) {
  const reader = body.getReader();
  let pieces = [], size = 0;
  const take = (length) => {
    const taken = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = pieces[0].subarray(0, length - at);
      taken.set(piece, at);
      at += piece.length;
      if (piece.length === pieces[0].length) pieces.shift();
      else pieces[0] = pieces[0].subarray(piece.length);
    }
    size -= length;
    return taken;
  };
  const fill = async (length) => {
    while (size < length) {
      const { done, value } = await reader.read();
      if (done) return false;
      pieces.push(value);
      size += value.length;
    }
    return true;
  };
  try {
    while (await fill(PREFIX_BYTES)) {
      const prefix = take(PREFIX_BYTES), length = new DataView(prefix.buffer).getUint32(1);
      if (length > MAX_FRAME_BYTES) throw new ServiceError("the answer is too large", "RESOURCE_EXHAUSTED");
      if (!(await fill(length))) break;
      yield [prefix[0], take(length)];
    }
    if (size) throw new ServiceError("the answer ends in the middle", "UNAVAILABLE");
  } finally {
    reader.cancel().catch(() => {});
  }
}

function readTrailers(data) {
  const trailers = new Map();
  for (const line of new TextDecoder().decode(data).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return trailers;
}

function statusError(trailers) {
  const message = unquoted(trailers.get("grpc-message") ?? "");
  const status = STATUSES[Number(trailers.get("grpc-status"))] ?? "UNKNOWN";
  const known = {};
  const packed = trailers.get("grpc-status-details-bin");
  if (packed) {
    for (const { typeUrl, value } of decode(Status, fromBase64(packed)).details) {
      if (typeUrl.endsWith("/google.rpc.ErrorInfo")) {
        const { reason, metadata } = decode(ErrorInfo, value);
        Object.assign(known, { reason, metadata });
      } else if (typeUrl.endsWith("/google.rpc.BadRequest")) {
        known.field = decode(BadRequest, value).fieldViolations[0]?.field;
      } else if (typeUrl.endsWith("/google.rpc.RetryInfo")) {
        const delay = decode(RetryInfo, value).retryDelay;
        if (delay) known.retryAfterS = Number(delay.seconds) + delay.nanos / 1e9;
      }
    }
  }
  return new ServiceError(message || status, status, known);
}

// As gRPC maps what a proxy answers in the server's place.
function httpError(status, text) {
  const names = { 400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED", 429: "UNAVAILABLE", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE" };
  return new ServiceError(text.trim().slice(0, 300) || `the server answered ${status}`, names[status] ?? "UNKNOWN");
}

function unquoted(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
