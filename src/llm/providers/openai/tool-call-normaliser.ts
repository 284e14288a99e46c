import { newId } from '../../../common/ids.js';
import { type ChatDelta, fieldOf, textField } from '../../port/index.js';
import { readText, toArguments, toIndex } from './reply-parts.js';

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
  /** The arguments received so far, as far as they were rewritten here. */
  text: string;
}

/** The fields of a call in one delta of a host. */
interface Fragment {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly text: string;
}

/**
 * Converts the tool calls of one streamed choice to the canonical format: each call has a unique index and id
 * and begins with its name, and its arguments are fragments of a JSON text. Hosts omit the index, give all
 * calls the same one, repeat or omit ids, send the name late or the arguments as an object.
 */
export class ToolCallNormaliser {
  /** Calls by the index under which they are passed on. */
  private readonly calls = new Map<number, Call>();
  /** The latest call for each index of the host. */
  private readonly byHostIndex = new Map<number, Call>();
  private last: Call | undefined;

  /** True if a call never received a name. */
  get hasNameless(): boolean {
    return this.calls.values().some(({ announced }) => !announced);
  }

  /** Returns true if the deltas can be passed on unchanged. Has no side effects. */
  accepts(deltas: readonly unknown[]): boolean {
    return deltas.every((delta) => {
      const index = fieldOf(delta, 'index');
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
      if (known === undefined) {
        const { id, name, text } = toFragment(delta);
        this.add({ index, id, hostId: id, name, announced: true, text }, index);
      } else {
        this.last = known;
      }
    }
  }

  /** Converts deltas to the canonical format. */
  rewrite(value: unknown): ToolCallDelta[] {
    const deltas: readonly unknown[] = Array.isArray(value) ? value : [value];
    const fragments = deltas.filter((delta) => typeof delta === 'object' && delta !== null).map(toFragment);
    const isOnly = fragments.length === 1;
    return fragments.flatMap((fragment, position) =>
      this.pass(this.callOf(fragment, isOnly ? undefined : position - fragments.length), fragment),
    );
  }

  /** Returns true if a delta begins a call as the canonical format requires. */
  private isBeginning(delta: unknown, written: unknown): boolean {
    const [id, part, index] = [textField(delta, 'id'), fieldOf(delta, 'function'), toIndex(written)];
    if (index === undefined || index !== written || this.calls.has(index) || !id) return false;
    if (fieldOf(delta, 'type') !== 'function' || this.isTaken(id)) return false;
    return Boolean(textField(part, 'name')) && isTextOrNothing(fieldOf(part, 'arguments'));
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
    return this.add({ index, id, hostId, name, announced: false, text: '' }, hostIndex);
  }

  private add(call: Call, hostIndex: number | undefined): Call {
    this.calls.set(call.index, call);
    if (hostIndex !== undefined) this.byHostIndex.set(hostIndex, call);
    this.last = call;
    return call;
  }

  private pass(call: Call, { id, name, text }: Fragment): ToolCallDelta[] {
    this.last = call;
    if (call.hostId === '' && id !== '') {
      call.hostId = id;
      // The generated id has not been passed on yet.
      if (!call.announced && !this.isTaken(id)) call.id = id;
    }
    call.name ||= name;
    call.text += text;
    if (call.announced) return text === '' ? [] : [{ index: call.index, function: { arguments: text } }];
    if (call.name === '') return [];
    call.announced = true;
    const { index, id: ours } = call;
    return [{ index, id: ours, type: 'function', function: { name: call.name, arguments: call.text } }];
  }

  private isTaken(id: string): boolean {
    return this.calls.values().some((call) => call.id === id);
  }

  private freeIndex(): number {
    return Math.max(-1, ...this.calls.keys()) + 1;
  }
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

/** Reads one delta. Some hosts put name and arguments beside the id, without `function`. */
function toFragment(delta: object): Fragment {
  const part = fieldOf(delta, 'function') ?? delta;
  return {
    index: toIndex(fieldOf(delta, 'index')),
    id: readText(fieldOf(delta, 'id')),
    name: textField(part, 'name') ?? '',
    text: toArguments(fieldOf(part, 'arguments')),
  };
}

/**
 * Returns true if a delta only adds arguments. Clients that concatenate deltas would duplicate a repeated id or
 * name.
 */
function isContinuation(delta: unknown): boolean {
  const part = fieldOf(delta, 'function');
  return (
    isEmpty(fieldOf(delta, 'id')) &&
    (part === undefined || (typeof part === 'object' && part !== null)) &&
    isEmpty(fieldOf(part, 'name')) &&
    isTextOrNothing(fieldOf(part, 'arguments'))
  );
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}
