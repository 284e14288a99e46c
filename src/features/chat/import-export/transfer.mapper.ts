import type { AppError } from '../../../common/errors.js';
import { FILE_VERSION } from './conversation-file.dto.js';
import type { Export } from './export.service.js';
import type { ExportedConversation, ExportedMessage } from './transfer.repository.js';

/** An exported message. */
type Message = ExportedMessage & { readonly active: boolean };

/** Export file formats. */
export const FORMATS = ['json', 'markdown'] as const;

/** One of the export formats. */
export type Format = (typeof FORMATS)[number];

/** An export as sent to the client. */
export interface ExportedFile {
  readonly contentType: string;
  readonly fileName: string;
  readonly pieces: (signal: AbortSignal) => AsyncIterable<string>;
  /** Returns the text that terminates a file which cannot be completed. */
  readonly failure: (error: AppError) => string;
}

/** Converts an export to a file that is streamed. The file name is based on the id, because a title is user input. */
export function toFile(exported: Export, format: Format): ExportedFile {
  const name = `conversation-${exported.conversation.id}`;
  return format === 'json'
    ? {
        contentType: 'application/json; charset=utf-8',
        fileName: `${name}.json`,
        pieces: (signal) => toJson(exported, signal),
        // Deliberately not valid JSON, so that the truncated file cannot be mistaken for a complete one.
        failure: ({ code, message }) => `\n${JSON.stringify({ error: { code, message } })}\n`,
      }
    : {
        contentType: 'text/markdown; charset=utf-8',
        fileName: `${name}.md`,
        pieces: (signal) => toMarkdown(exported, signal),
        failure: ({ message }) => `\n\n---\n\n**The export was interrupted here.** ${message}\n`,
      };
}

/** Yields all branches as JSON; see `CONVERSATION_FILE`. */
async function* toJson({ conversation, messages }: Export, signal: AbortSignal): AsyncGenerator<string> {
  const head = JSON.stringify(toFileConversation(conversation));
  yield `{"version":${FILE_VERSION},"conversation":${head},"messages":[`;
  let separator = '\n';
  for await (const message of messages('all', signal)) {
    yield separator + JSON.stringify(toFileMessage(message));
    separator = ',\n';
  }
  yield '\n]}\n';
}

function toFileConversation(conversation: ExportedConversation) {
  return {
    id: conversation.id,
    title: conversation.title,
    system_prompt: conversation.systemPrompt,
    archived: conversation.archived,
    pinned: conversation.pinned,
    created_at: conversation.createdAt.toISOString(),
    updated_at: conversation.updatedAt.toISOString(),
  };
}

function toFileMessage(message: Message) {
  const { toolCalls, toolCallId, attachments, errorCode, errorMessage, warning } = message;
  return {
    id: message.id,
    parent_id: message.parentId,
    role: message.role,
    status: message.status,
    content: message.content,
    active: message.active,
    model: message.model,
    finish_reason: message.finishReason,
    ...(toolCalls !== null && { tool_calls: toolCalls }),
    ...(toolCallId !== null && { tool_call_id: toolCallId }),
    ...(attachments.length > 0 && {
      attachments: attachments.map(({ name, mediaType }) => ({ name, media_type: mediaType })),
    }),
    ...(errorCode !== null && { error: { code: errorCode, message: errorMessage ?? '' } }),
    ...(warning !== null && { warning }),
    created_at: message.createdAt.toISOString(),
    completed_at: message.completedAt?.toISOString() ?? null,
  };
}

const SPEAKERS: Readonly<Record<Message['role'], string>> = {
  user: 'User',
  assistant: 'Assistant',
  tool: 'Tool',
};

/** Yields the active path as Markdown, for human readers. */
async function* toMarkdown({ conversation, messages }: Export, signal: AbortSignal): AsyncGenerator<string> {
  yield `# ${inOneLine(conversation.title)}\n`;
  for await (const { role, model, content, attachments } of messages('active', signal)) {
    const speaker = model === null ? SPEAKERS[role] : `${SPEAKERS[role]} (${inOneLine(model)})`;
    const files = attachments.map(({ name }) => `- ${inOneLine(name)}\n`).join('');
    yield `\n## ${speaker}\n\n${content}\n${files === '' ? '' : `\n${files}`}`;
  }
}

/** Replaces line breaks, which would end a heading. */
function inOneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').trim();
}
