import type { OutgoingHttpHeaders } from 'node:http';

import type { Reply } from './reply.js';
import type { JsonReply, ProviderProtocol } from './provider-protocol.js';

/** The action after the last byte: a proper end, a reset, or a stall. */
export type Ending = 'end' | 'reset' | 'stall';

/** The protocol and reply with which a behavior is played. */
export interface Stage {
  protocol: ProviderProtocol;
  reply: Reply;
  requestId: string;
}

/** Sends a good JSON body. */
export async function sendJson({ status, body }: JsonReply, stage: Stage): Promise<void> {
  stage.reply.head(status, jsonHeaders(stage, body));
  await stage.reply.write(body);
  await stage.reply.end();
}

/** Returns the headers of a JSON reply; without a body there is no content length. */
export function jsonHeaders(stage: Stage, body?: string): OutgoingHttpHeaders {
  return {
    'content-type': 'application/json',
    [stage.protocol.requestIdHeader]: stage.requestId,
    ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
  };
}

/** Ends a reply in the given way. */
export async function conclude(ending: Ending, { reply }: Stage): Promise<void> {
  switch (ending) {
    case 'end':
      return reply.end();
    case 'reset':
      return reply.reset();
    case 'stall':
      await reply.closed;
  }
}
