import { newId } from '../../../common/ids.js';
import { type ChatDelta, getField, getStringField } from '../../port/index.js';
import { toIndex } from './reply-parts.js';
import { type ExtraFields, readToolCall, type ToolCallFields } from './tool-call-fields.js';

/** The fields that a chunk adds to a tool call, in the canonical format. */
export type ToolCallDelta = NonNullable<ChatDelta['tool_calls']>[number];

/** A tool call of a choice. */
interface Call {
  /** The index under which it is passed on. */
  readonly index: number;
  /** The id under which it is passed on. */
  id: string;
  /** The host's own id; empty until it has sent one. */
  hostId: string;
  name: string;
  /** True once id and name were passed on. Until there is a name, the arguments are buffered. */
  announced: boolean;
  /** The arguments received so far. */
  text: string;
  /** Fields beyond the canonical format, with their latest values. */
  readonly extras: Map<string, unknown>;
  readonly functionExtras: Map<string, unknown>;
}

/** The fields of a call in one delta of a host. */
interface Fragment extends ToolCallFields {
  readonly index: number | undefined;
}

/**
 * Converts the tool calls of one streamed choice to the canonical format: each call has a unique index and id
 * and begins with its name, and its arguments are fragments of a JSON text. Hosts omit the index, give all
 * calls the same one, repeat or omit ids, send the name late or the arguments as an object.
 */
export class ToolCallNormalizer {
  /** Calls by the index under which they are passed on. */
  private readonly calls = new Map<number, Call>();
  /** The latest call for each index of the host. */
  private readonly byHostIndex = new Map<number, Call>();
  private last: Call | undefined;

  /** True if a call never received a name. */
  get hasNameless(): boolean {
    return this.calls.values().some(({ announced }) => !announced);
  }

  get hasCalls(): boolean {
    return this.calls.size > 0;
  }

  /** True if no call was cut off inside its arguments. */
  get areWhole(): boolean {
    return this.calls.values().every(({ text }) => text.trim() === '' || isWhole(text));
  }

  /** Returns true if the deltas can be passed on unchanged. Has no side effects. */
  accepts(deltas: readonly unknown[]): boolean {
    return deltas.every((delta) => {
      const index = getField(delta, 'index');
      const known = typeof index === 'number' ? this.byHostIndex.get(index) : undefined;
      return known === undefined
        ? deltas.length === 1 && this.isBeginning(delta, index)
        : known.announced && known.index === index && isContinuation(delta);
    });
  }

  /** Records deltas that are passed on unchanged. */
  note(deltas: readonly ToolCallDelta[]): void {
    for (const delta of deltas) {
      const { index } = delta;
      const known = this.byHostIndex.get(index);
      const { id, name, text, extras, functionExtras } = toFragment(delta);
      const call = known ?? this.add({ ...newCall(index, id), hostId: id, name, announced: true }, index);
      call.text += text;
      merge(call.extras, extras);
      merge(call.functionExtras, functionExtras);
      this.last = call;
    }
  }

  /** Converts deltas to the canonical format. */
  rewrite(value: unknown): ToolCallDelta[] {
    const deltas: readonly unknown[] = Array.isArray(value) ? value : [value];
    const fragments = deltas.filter((delta) => typeof delta === 'object' && delta !== null).map(toFragment);
    const isOnly = fragments.length === 1;
    const inChunk = new Set<Call>();
    return fragments.flatMap((fragment, position) => {
      let call = this.callOf(fragment, isOnly ? undefined : position - fragments.length);
      // Within one chunk, a repeated name means another call.
      if (inChunk.has(call) && fragment.name !== '' && fragment.id === '') call = this.begin(fragment);
      inChunk.add(call);
      return this.pass(call, fragment);
    });
  }

  /** Returns true if a delta begins a call as the canonical format requires. */
  private isBeginning(delta: unknown, written: unknown): boolean {
    const [id, part, index] = [getStringField(delta, 'id'), getField(delta, 'function'), toIndex(written)];
    if (index === undefined || index !== written || this.calls.has(index) || !id) return false;
    if (getField(delta, 'type') !== 'function' || this.isTaken(id)) return false;
    return Boolean(getStringField(part, 'name')) && isTextOrNothing(getField(part, 'arguments'));
  }

  /**
   * Returns the call that a fragment belongs to, or a new one.
   * @param fromEnd position among the fragments of its chunk, counted from the end; undefined if it is the only
   * one
   */
  private callOf(fragment: Fragment, fromEnd: number | undefined): Call {
    const { index, id, name } = fragment;
    const named = id === '' ? undefined : this.calls.values().find(({ hostId }) => hostId === id);
    if (index === undefined) {
      if (named !== undefined) return named;
      const known = id === '' && name === '' ? this.fromEnd(fromEnd) : this.last;
      return known !== undefined && !beginsAnother(known, fragment) ? known : this.begin(fragment);
    }
    const known = this.byHostIndex.get(index);
    // The same id under another index means the same call, unless the name is repeated.
    if (known === undefined) return named === undefined || name !== '' ? this.begin(fragment) : named;
    if (named !== undefined && named !== known) return named;
    return beginsAnother(known, fragment) ? this.begin(fragment) : known;
  }

  private fromEnd(place: number | undefined): Call | undefined {
    return place === undefined ? this.last : [...this.calls.values()].at(place);
  }

  private begin({ index: hostIndex, id: hostId, name }: Fragment): Call {
    const index = hostIndex === undefined || this.calls.has(hostIndex) ? this.freeIndex() : hostIndex;
    const id = hostId === '' || this.isTaken(hostId) ? `call_${newId().replaceAll('-', '')}` : hostId;
    return this.add({ ...newCall(index, id), hostId, name }, hostIndex);
  }

  private add(call: Call, hostIndex: number | undefined): Call {
    this.calls.set(call.index, call);
    if (hostIndex !== undefined) this.byHostIndex.set(hostIndex, call);
    this.last = call;
    return call;
  }

  private pass(call: Call, { id, name, text, extras, functionExtras }: Fragment): ToolCallDelta[] {
    this.last = call;
    if (call.hostId === '' && id !== '') {
      call.hostId = id;
      // The generated id has not been passed on yet.
      if (!call.announced && !this.isTaken(id)) call.id = id;
    }
    call.name ||= name;
    call.text += text;
    const news = merge(call.extras, extras);
    const part = { ...merge(call.functionExtras, functionExtras), ...(text !== '' && { arguments: text }) };
    if (call.announced) {
      const hasPart = Object.keys(part).length > 0;
      if (!hasPart && Object.keys(news).length === 0) return [];
      return [{ ...news, index: call.index, ...(hasPart && { function: part }) }];
    }
    if (call.name === '') return [];
    call.announced = true;
    const called = { ...Object.fromEntries(call.functionExtras), name: call.name, arguments: call.text };
    const { index, id: ours } = call;
    return [{ ...Object.fromEntries(call.extras), index, id: ours, type: 'function', function: called }];
  }

  private isTaken(id: string): boolean {
    return this.calls.values().some((call) => call.id === id);
  }

  private freeIndex(): number {
    return Math.max(-1, ...this.calls.keys()) + 1;
  }
}

function newCall(index: number, id: string): Call {
  return {
    index,
    id,
    hostId: '',
    name: '',
    announced: false,
    text: '',
    extras: new Map(),
    functionExtras: new Map(),
  };
}

/**
 * Adds fields of a fragment to those of its call, and returns the ones with a new value. Clients that
 * concatenate deltas would duplicate a repeated value.
 */
function merge(known: Map<string, unknown>, fields: ExtraFields): Record<string, unknown> {
  const news = [...fields].filter(
    ([name, value]) => !known.has(name) || JSON.stringify(known.get(name)) !== JSON.stringify(value),
  );
  for (const [name, value] of news) known.set(name, value);
  return Object.fromEntries(news);
}

/** Returns true if a fragment that could continue a call begins another one. */
function beginsAnother(known: Call, { index, id, name }: Fragment): boolean {
  const isOther = id !== '' && known.hostId !== '' && id !== known.hostId;
  // Some hosts generate an id for every fragment: only a name or a complete previous call marks the beginning
  // of another.
  if (name === '') return isOther && index === undefined && isWhole(known.text);
  if (isOther) return true;
  if (known.name === '' || (id !== '' && id === known.hostId)) return false;
  return name !== known.name || isWhole(known.text);
}

/** Returns true if a text is complete JSON, which no fragment can continue. */
function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function toFragment(delta: object): Fragment {
  return { ...readToolCall(delta), index: toIndex(getField(delta, 'index')) };
}

/**
 * Returns true if a delta only adds arguments. Clients that concatenate deltas would duplicate a repeated id or
 * name.
 */
function isContinuation(delta: unknown): boolean {
  const part = getField(delta, 'function');
  return (
    isEmpty(getField(delta, 'id')) &&
    (part === undefined || (typeof part === 'object' && part !== null)) &&
    isEmpty(getField(part, 'name')) &&
    isTextOrNothing(getField(part, 'arguments'))
  );
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}
