import { playJson } from './json-playback.js';
import type { Behavior, Content, ErrorBehavior, Pace, VerbatimBehavior } from './script.js';
import { jsonHeaders, type Stage } from './stage.js';
import { playStream } from './stream-playback.js';
import type { JsonReply, StreamFrames } from './provider-protocol.js';

/** A good reply, which the behavior sends or spoils. */
export type GoodReply = { kind: 'json'; reply: JsonReply } | { kind: 'stream'; frames: StreamFrames };

/** Returns the content and pace that a behavior scripts. */
export function contentOf(behavior: Behavior): Content & Pace {
  if (behavior.kind === 'gated') return behavior.content;
  if (behavior.kind === 'emptyAnswer') return { ...behavior, text: [], reasoning: [], toolCalls: [] };
  return behavior;
}

/** Plays a behavior to its end; rejects with an abort error if the client disconnects first. */
export async function play(behavior: Behavior, good: GoodReply, stage: Stage): Promise<void> {
  const { reply } = stage;
  const { splitBytes, delayBeforeMs } = contentOf(behavior);
  if (splitBytes !== undefined) reply.cutInto({ bytes: splitBytes, gapMs: 0 });
  if (delayBeforeMs !== undefined) await reply.pause(delayBeforeMs);
  if (behavior.kind === 'error') return sendError(behavior, stage);
  if (behavior.kind === 'verbatim') return sendVerbatim(behavior, good, stage);
  if (behavior.kind === 'gated' && behavior.holdHeaders) await behavior.mayPass(0, reply.signal);
  if (behavior.kind === 'reset' && (behavior.afterChunks ?? 0) === 0) return reply.reset();
  if (behavior.kind === 'silence' && behavior.afterHeaders !== true && (behavior.afterChunks ?? 0) === 0) {
    await reply.closed;
    return;
  }
  if (good.kind === 'json') await playJson(behavior, good.reply, stage);
  else await playStream(behavior, good.frames, stage);
}

async function sendError(behavior: ErrorBehavior, stage: Stage): Promise<void> {
  const { status, body: format, headers } = behavior;
  const page = `<html><head><title>${String(status)}</title></head><body><h1>${String(status)}</h1></body></html>`;
  const foreign = format === 'html' ? page : '';
  const body = format === undefined ? stage.protocol.errorBody(behavior) : foreign;
  stage.reply.head(status, {
    ...jsonHeaders(stage, body),
    ...(format === undefined ? {} : { 'content-type': 'text/html' }),
    ...retryHeaders(behavior),
    ...headers,
  });
  await stage.reply.write(body);
  await stage.reply.end();
}

async function sendVerbatim(
  { body }: VerbatimBehavior,
  { kind }: GoodReply,
  { reply, protocol, requestId }: Stage,
): Promise<void> {
  const type = kind === 'stream' ? protocol.streamType : 'application/json';
  reply.head(200, { 'content-type': type, [protocol.requestIdHeader]: requestId });
  await reply.write(body);
  await reply.end();
}

function retryHeaders({ retryAfter, retryAfterMs }: ErrorBehavior): Record<string, string> {
  const after = retryAfter instanceof Date ? retryAfter.toUTCString() : retryAfter;
  return {
    ...(after === undefined ? {} : { 'retry-after': String(after) }),
    ...(retryAfterMs === undefined ? {} : { 'retry-after-ms': String(retryAfterMs) }),
  };
}
