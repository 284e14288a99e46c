import type { LookupAddress } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { DeliveryError } from '../model/webhook.js';
import { ReceiverAddresses } from '../network/receiver-addresses.js';

/** Maximum duration of an attempt, with the resolution of the name, in milliseconds. */
const ATTEMPT_TIMEOUT_MS = 10_000;

/** Maximum number of bytes of the body of a response that are read, to be discarded. */
const MAX_RESPONSE_BYTES = 4_096;

/** Maximum number of bytes of the headers of a response. */
const MAX_HEADER_BYTES = 16_384;

/** Codes of Node's errors of certificates and TLS. */
const TLS_ERROR = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/;

/** A request to a receiver. */
export interface ReceiverRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The status of a response, or the reason why there is none. */
export type ReceiverResponse =
  { readonly statusCode: number; readonly error?: undefined } | { readonly error: DeliveryError };

/**
 * Sends requests to receivers. The name is resolved and checked for each request, and the connection goes to the checked
 * addresses, whatever the name means a moment later. Redirects are not followed, and no proxy is used: agents of their
 * own ignore the proxies of the environment.
 */
@Injectable()
export class ReceiverClient {
  constructor(private readonly addresses: ReceiverAddresses) {}

  /**
   * Sends a request and waits for the status of the response.
   * @param signal aborts the request
   * @returns undefined if the signal has aborted before the response
   */
  async postMessage(message: ReceiverRequest, signal: AbortSignal): Promise<ReceiverResponse | undefined> {
    const deadline = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    const either = AbortSignal.any([signal, deadline]);
    try {
      const checked = await this.addresses.checkHost(message.url, either);
      either.throwIfAborted();
      if (checked.error !== undefined) return { error: checked.error };
      return { statusCode: await post(message, checked.addresses, either) };
    } catch (error) {
      if (signal.aborted) return undefined;
      return { error: deadline.aborted ? 'timeout' : toDeliveryFailure(error) };
    }
  }
}

/** Resolves with the status of the response. A body that breaks off or never ends changes nothing. */
function post(
  { url, headers, body }: ReceiverRequest,
  addresses: readonly LookupAddress[],
  signal: AbortSignal,
): Promise<number> {
  const isSecure = url.protocol === 'https:';
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.byteLength) },
    lookup: lookupAmong(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
  };
  return new Promise((resolve, reject) => {
    const sent = isSecure
      ? requestHttps(url, { ...options, agent: new HttpsAgent() })
      : requestHttp(url, { ...options, agent: new HttpAgent() });
    let statusCode: number | undefined;
    const settle = (error: Error): void => {
      if (statusCode === undefined) reject(error);
      else resolve(statusCode);
    };
    sent.on('error', settle);
    // Without an error after a response, and after an upgrade, which is none.
    sent.on('close', () => {
      settle(new Error('The connection closed before the response.'));
    });
    sent.on('response', (response) => {
      ({ statusCode } = response);
      discardBody(response);
    });
    sent.end(body);
  });
}

/** Reads the beginning of a body, so that a receiver can send a short one in full, and ends a longer one. */
function discardBody(response: IncomingMessage): void {
  let received = 0;
  response.on('data', (chunk: Buffer) => {
    received += chunk.byteLength;
    if (received > MAX_RESPONSE_BYTES) response.destroy();
  });
  response.on('error', () => undefined);
}

/** Returns a function that resolves every name to the addresses that were checked. */
function lookupAmong(addresses: readonly LookupAddress[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all === true || first === undefined) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

function toDeliveryFailure(error: unknown): DeliveryError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (TLS_ERROR.test(code)) return 'tls_failed';
  return code.startsWith('HPE_') ? 'invalid_response' : 'connection_failed';
}
