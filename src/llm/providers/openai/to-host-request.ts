import {
  type CallIdRule,
  type ChatMessage,
  type ChatRequest,
  getField,
  type ProviderCall,
  type ReturnedFields,
  readReturnedFields,
  withAcceptedCallIds,
  withReturnedFields,
} from '../../port/index.js';
import { type HostProfile, limitNameFor, NINE_CHARACTER_CALL_IDS, SHORT_CALL_IDS } from './host-profile.js';
import { isReasoningModel } from './openai-models.js';
import type { RequestChange } from './request-changes.js';

/** The properties of a host that its requests depend on. */
export interface HostTarget {
  /** The provider's id. */
  readonly id: string;
  readonly profile: HostProfile;
}

/** A request for a host, and the changes that would alter it if the host refuses it. */
export interface HostRequest {
  readonly body: ChatRequest & { readonly model: string };
  readonly possible: ReadonlySet<RequestChange>;
}

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;

/** Placeholder for reasoning that does not exist. Hosts refuse a blank text like a missing one. */
const REASONING_PLACEHOLDER = '(The reasoning behind this call is not recorded.)';

/** Placeholder for an answer that failed after its tools had run, for hosts whose roles must alternate. */
const ANSWER_PLACEHOLDER = '(This answer failed.)';

/**
 * Accepted by Gemini in place of the signature of a call that it did not make.
 * https://ai.google.dev/gemini-api/docs/thought-signatures
 */
const SIGNATURE_PLACEHOLDER = { google: { thought_signature: 'skip_thought_signature_validator' } };

/**
 * Converts a canonical request to the form that a host accepts. Everything that the caller sent is passed on
 * under its own name, including unknown fields. Everything that this server chose depends on the host's profile
 * and the learned changes.
 */
export function toHostRequest(
  { request, model, ownChoices = [] }: ProviderCall,
  target: HostTarget,
  changes: ReadonlySet<RequestChange>,
): HostRequest {
  const possible = new Set<RequestChange>();
  const ownHistory = ownChoices.includes('history');
  const messages = toHostMessages(request.messages, { target, model, ownHistory, changes, possible });
  const body: HostRequest['body'] = { ...request, messages, model };
  if (ownChoices.includes('temperature') && body.temperature !== undefined) {
    if (changes.has('without_default_temperature') || isReasoningModel(model)) delete body.temperature;
    else possible.add('without_default_temperature');
  }
  if (ownChoices.includes('limit_name')) {
    const { max_tokens, max_completion_tokens, ...others } = body;
    const limit = max_completion_tokens ?? max_tokens;
    if (typeof limit === 'number') {
      possible.add('other_limit_name');
      const usual = limitNameFor(target.profile, model);
      const other = usual === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
      const name = changes.has('other_limit_name') ? other : usual;
      return { body: { ...others, [name]: limit }, possible: without(possible, changes) };
    }
  }
  return { body, possible: without(possible, changes) };
}

/** Removes the changes already made: a host that refuses a changed request refuses it for another reason. */
function without(
  possible: ReadonlySet<RequestChange>,
  made: ReadonlySet<RequestChange>,
): ReadonlySet<RequestChange> {
  return new Set([...possible].filter((change) => !made.has(change)));
}

interface MessageContext {
  readonly target: HostTarget;
  readonly model: string;
  /** True if this server assembled the history. If the caller wrote it, completing it is up to the caller. */
  readonly ownHistory: boolean;
  readonly changes: ReadonlySet<RequestChange>;
  /** Collects the changes that would alter these messages. */
  readonly possible: Set<RequestChange>;
}

function toHostMessages(messages: readonly ChatMessage[], context: MessageContext): ChatMessage[] {
  const withTools = answersWithTools(messages);
  const sent = messages.map((message, index) => {
    if (message.role !== 'assistant') return withoutProviderData(message);
    return toHostAnswer(message, withTools.has(index), context);
  });
  if (!sent.some((message) => message.role === 'assistant' && message.tool_calls)) return sent;
  const { changes, possible, target, ownHistory } = context;
  possible.add('nine_character_call_ids').add('short_call_ids');
  const rule = callIdRule(changes, target.profile);
  const accepted = rule === undefined ? sent : withAcceptedCallIds(sent, rule);
  if (ownHistory) possible.add('with_alternating_roles');
  return changes.has('with_alternating_roles') ? alternating(accepted) : accepted;
}

/**
 * Inserts placeholder answers. Mistral refuses "role 'user' after role 'tool'", and other chat templates
 * require alternating roles.
 */
function alternating(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.flatMap((message, index): ChatMessage[] =>
    message.role === 'user' && messages[index - 1]?.role === 'tool'
      ? [{ role: 'assistant', content: ANSWER_PLACEHOLDER }, message]
      : [message],
  );
}

function callIdRule(changes: ReadonlySet<RequestChange>, { callIds }: HostProfile): CallIdRule | undefined {
  if (changes.has('nine_character_call_ids')) return NINE_CHARACTER_CALL_IDS;
  return changes.has('short_call_ids') ? SHORT_CALL_IDS : callIds;
}

/**
 * Returns the positions of the answers between two user messages if one of these answers called tools. Their
 * reasoning is returned in all later requests; reasoning of other answers would be ignored, and older models of
 * DeepSeek refuse it. https://api-docs.deepseek.com/guides/thinking_mode
 */
function answersWithTools(messages: readonly ChatMessage[]): ReadonlySet<number> {
  const found = new Set<number>();
  let exchange: number[] = [];
  let calls = false;
  for (const [index, message] of messages.entries()) {
    if (message.role === 'user') {
      exchange = [];
      calls = false;
    }
    if (message.role !== 'assistant') continue;
    exchange.push(index);
    calls ||= callsTools(message);
    if (calls) for (const answer of exchange) found.add(answer);
  }
  return found;
}

function toHostAnswer(
  message: AssistantMessage,
  inToolExchange: boolean,
  { target, model, ownHistory, changes, possible }: MessageContext,
): AssistantMessage {
  const { provider_data: data, ...plain } = message;
  const fields = inToolExchange && data?.provider === target.id ? readReturnedFields(data) : undefined;
  let answer: AssistantMessage = plain;
  if (fields !== undefined) {
    possible.add('without_returned_fields');
    if (!changes.has('without_returned_fields')) answer = withReturnedFields(plain, fields, model);
  }
  return ownHistory && callsTools(answer) ? withPlaceholders(answer, changes, possible) : answer;
}

/** Adds the fields that a host requires for tool calls that another provider made. */
function withPlaceholders(
  message: AssistantMessage,
  changes: ReadonlySet<RequestChange>,
  possible: Set<RequestChange>,
): AssistantMessage {
  const answer: AssistantMessage & Partial<ReturnedFields> = { ...message };
  const reasoning = getField(message, 'reasoning_content');
  if (typeof reasoning !== 'string' || reasoning.trim() === '') {
    possible.add('with_reasoning_placeholder');
    if (changes.has('with_reasoning_placeholder')) {
      Object.assign(answer, { reasoning_content: REASONING_PLACEHOLDER });
    }
  }
  const [first, ...others] = message.tool_calls ?? [];
  if (first !== undefined && getField(first, 'extra_content') === undefined) {
    possible.add('with_signature_placeholder');
    // Gemini signs the first of parallel calls.
    if (changes.has('with_signature_placeholder')) {
      answer.tool_calls = [Object.assign({}, first, { extra_content: SIGNATURE_PLACEHOLDER }), ...others];
    }
  }
  return answer;
}

function callsTools({ tool_calls: calls }: AssistantMessage): boolean {
  return (calls ?? []).length > 0;
}

/** Removes our own field, which no host knows and some refuse. */
function withoutProviderData(message: ChatMessage): ChatMessage {
  if (message.provider_data === undefined) return message;
  const { provider_data: _ours, ...rest } = message;
  return rest;
}
