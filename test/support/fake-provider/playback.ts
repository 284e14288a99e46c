import { playJson } from './json-playback.js';
import type { Behaviour, Content, ErrorBehaviour, Pace, VerbatimBehaviour } from './script.js';
import { jsonHeaders, type Stage } from './stage.js';
import { playStream } from './stream-playback.js';
import type { JsonReply, StreamFrames } from './wire.js';

/** A good reply, which the behaviour sends or spoils. */
export type GoodReply = { kind: 'json'; reply: JsonReply } | { kind: 'stream'; frames: StreamFrames };

/** Returns the content and pace that a behaviour scripts. */
export function contentOf(behaviour: Behaviour): Content & Pace {
  if (behaviour.kind === 'gated') return behaviour.content;
  if (behaviour.kind === 'emptyAnswer') return { ...behaviour, text: [], reasoning: [], toolCalls: [] };
  return behaviour;
}

/** Plays a behaviour to its end; rejects with an abort error if the client disconnects first. */
export async function play(behaviour: Behaviour, good: GoodReply, stage: Stage): Promise<void> {
  const { reply } = stage;
  const { splitBytes, delayBeforeMs } = contentOf(behaviour);
  if (splitBytes !== undefined) reply.cutInto({ bytes: splitBytes, gapMs: 0 });
  if (delayBeforeMs !== undefined) await reply.pause(delayBeforeMs);
  if (behaviour.kind === 'error') return sendError(behaviour, stage);
  if (behaviour.kind === 'verbatim') return sendVerbatim(behaviour, good, stage);
  if (behaviour.kind === 'gated' && behaviour.holdHeaders) await behaviour.mayPass(0, reply.signal);
  if (behaviour.kind === 'reset' && (behaviour.afterChunks ?? 0) === 0) return reply.reset();
  if (behaviour.kind === 'silence' && behaviour.afterHeaders !== true && (behaviour.afterChunks ?? 0) === 0) {
    await reply.closed;
    return;
  }
  if (good.kind === 'json') await playJson(behaviour, good.reply, stage);
  else await playStream(behaviour, good.frames, stage);
}

async function sendError(behaviour: ErrorBehaviour, stage: Stage): Promise<void> {
  const { status, body: format, headers } = behaviour;
  const page = `<html><head><title>${String(status)}</title></head><body><h1>${String(status)}</h1></body></html>`;
  const foreign = format === 'html' ? page : '';
  const body = format === undefined ? stage.wire.errorBody(behaviour) : foreign;
  stage.reply.head(status, {
    ...jsonHeaders(stage, body),
    ...(format === undefined ? {} : { 'content-type': 'text/html' }),
    ...retryHeaders(behaviour),
    ...headers,
  });
  await stage.reply.write(body);
  await stage.reply.end();
}

async function sendVerbatim(
  { body }: VerbatimBehaviour,
  { kind }: GoodReply,
  { reply, wire, requestId }: Stage,
): Promise<void> {
  const type = kind === 'stream' ? wire.streamType : 'application/json';
  reply.head(200, { 'content-type': type, [wire.requestIdHeader]: requestId });
  await reply.write(body);
  await reply.end();
}

function retryHeaders({ retryAfter, retryAfterMs }: ErrorBehaviour): Record<string, string> {
  const after = retryAfter instanceof Date ? retryAfter.toUTCString() : retryAfter;
  return {
    ...(after === undefined ? {} : { 'retry-after': String(after) }),
    ...(retryAfterMs === undefined ? {} : { 'retry-after-ms': String(retryAfterMs) }),
  };
}
