import { toKnownCostUsd } from '../../../common/money.js';
import type {
  ConversationBody,
  ConversationsQuery,
  ListedConversationBody,
  MatchBody,
  UpdateConversationBody,
} from './conversation.dto.js';
import type {
  ConversationChanges,
  ConversationFilter,
  StoredConversation,
  StoredSummary,
} from './conversation.repository.js';
import type { SummaryBody } from './summary.dto.js';
import type { Search } from './search.repository.js';
import type { FoundConversation, Match } from './search.service.js';

/** Converts a query to a filter. Archived conversations are listed only on request. */
export function toFilter({ archived, pinned }: ConversationsQuery): ConversationFilter {
  return { archived: archived === 'true', pinned: pinned === 'true' };
}

/** Converts a query to a search. Archived conversations are searched too, unless the query excludes them. */
export function toSearch(words: string, { archived, pinned }: ConversationsQuery): Search {
  return {
    words,
    archived: archived === undefined ? undefined : archived === 'true',
    pinned: pinned === 'true',
  };
}

/** Converts an update request to changes. */
export function toChanges(body: UpdateConversationBody): ConversationChanges {
  const { title, archived, pinned, system_prompt: systemPrompt } = body;
  return { title, archived, pinned, systemPrompt };
}

/** Converts a conversation to its API representation. */
export function toConversationBody(conversation: StoredConversation): ConversationBody {
  return {
    id: conversation.id,
    title: conversation.title,
    archived: conversation.archived,
    pinned: conversation.pinned,
    system_prompt: conversation.systemPrompt,
    compaction: conversation.compaction,
    summary: conversation.summary && toSummaryBody(conversation.summary),
    active_message_id: conversation.leafMessageId,
    tokens_used: Number(conversation.tokensTotal),
    cost_estimate: toKnownCostUsd(conversation.costMicroUsd, conversation.unpricedAttempts),
    unpriced_attempts: conversation.unpricedAttempts,
    created_at: conversation.createdAt.toISOString(),
    updated_at: conversation.updatedAt.toISOString(),
  };
}

function toSummaryBody({ text, messageId, model, createdAt }: StoredSummary): SummaryBody {
  return { text, up_to_message_id: messageId, model, created_at: createdAt.toISOString() };
}

/** Converts a conversation in a list or a search result to its API representation. */
export function toListedConversation(
  conversation: StoredConversation | FoundConversation,
): ListedConversationBody {
  const body: ListedConversationBody = toConversationBody(conversation);
  if ('matches' in conversation) body.matches = conversation.matches.map(toMatchBody);
  return body;
}

function toMatchBody({ messageId, text, highlights }: Match): MatchBody {
  return { message_id: messageId, text, highlights: highlights.map(({ start, end }) => ({ start, end })) };
}
