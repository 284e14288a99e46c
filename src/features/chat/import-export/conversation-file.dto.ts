import { type SchemaObject, toDocumentedSchema } from '../../../http/index.js';
import { MAX_SYSTEM_PROMPT, MAX_TITLE } from '../conversations/conversation.dto.js';

/** Version of the format. Incremented for any change that readers must know about. */
export const FILE_VERSION = 1;

/** Maximum number of messages in an imported file. */
export const MAX_MESSAGES = 10_000;

/** Maximum length of one message, in characters. */
const MAX_CONTENT = 1_000_000;

/** A tool call in OpenAI's format. */
export interface FileToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A message in a file. Omitted fields are null, false or empty. */
export interface FileMessage {
  readonly id: string;
  /** Id of an earlier message; null for the root of a branch. */
  readonly parent_id: string | null;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly status: 'generating' | 'complete' | 'interrupted' | 'failed';
  readonly content: string;
  /** True if it is on the active path. */
  readonly active: boolean;
  readonly model?: string | null;
  readonly finish_reason?: string | null;
  readonly tool_calls?: readonly FileToolCall[];
  readonly tool_call_id?: string;
  readonly attachments?: readonly { readonly name: string; readonly media_type: string }[];
  readonly error?: { readonly code: string; readonly message: string };
  readonly warning?: string;
  readonly created_at: string;
  readonly completed_at?: string | null;
}

/** Properties of the conversation itself. */
export interface FileConversation {
  /** Informational only: an import assigns a new id and new times. */
  readonly id?: string;
  readonly created_at?: string;
  readonly updated_at?: string;
  readonly title: string;
  readonly system_prompt?: string | null;
  readonly archived?: boolean;
  readonly pinned?: boolean;
}

/** A conversation in its export and import format. */
export interface ConversationFile {
  readonly version: typeof FILE_VERSION;
  readonly conversation: FileConversation;
  readonly messages: readonly FileMessage[];
}

const text = (maxLength: number, description: string) => ({ type: 'string', maxLength, description });
const time = (description: string) => ({ type: 'string', format: 'date-time', maxLength: 40, description });
const orNull = <Schema extends object>(schema: Schema) => ({ ...schema, nullable: true });

/** Returns the schema of an object without additional properties. */
const object = (required: string[], properties: Record<string, SchemaObject>): SchemaObject => ({
  type: 'object',
  required,
  additionalProperties: false,
  properties,
});

const CONVERSATION = object(['title'], {
  id: text(100, 'Original id of the conversation. Not imported.'),
  title: { ...text(MAX_TITLE, 'Title of the conversation.'), minLength: 1 },
  system_prompt: orNull({
    ...text(MAX_SYSTEM_PROMPT, 'System prompt; null if there is none.'),
    minLength: 1,
  }),
  archived: { type: 'boolean', description: 'Whether the conversation is archived.' },
  pinned: { type: 'boolean', description: 'Whether the conversation is pinned.' },
  created_at: time('Time at which the conversation was created. Not imported.'),
  updated_at: time('Time at which the last turn began or ended. Not imported.'),
});

const TOOL_CALL = object(['id', 'type', 'function'], {
  id: text(200, 'Id of the call, which its result refers to.'),
  type: { type: 'string', enum: ['function'], description: 'Always `function`.' },
  function: object(['name', 'arguments'], {
    name: text(200, 'Name of the tool.'),
    arguments: text(MAX_CONTENT, 'Arguments as JSON, exactly as the model wrote it.'),
  }),
});

const ATTACHMENT = object(['name', 'media_type'], {
  name: text(255, 'Name of the file.'),
  media_type: text(255, 'Media type of the file.'),
});

const MESSAGE = object(['id', 'parent_id', 'role', 'status', 'content', 'active', 'created_at'], {
  id: { ...text(100, 'Id of the message within the file; an import assigns new ids.'), minLength: 1 },
  parent_id: orNull(
    text(100, 'Id of an earlier message in the list; null for the first message of a branch.'),
  ),
  role: { type: 'string', enum: ['user', 'assistant', 'tool'], description: 'Author of the message.' },
  status: {
    type: 'string',
    enum: ['generating', 'complete', 'interrupted', 'failed'],
    description: 'Status of the message. `generating` is imported as `interrupted`.',
  },
  content: text(MAX_CONTENT, 'Text of the message.'),
  active: {
    type: 'boolean',
    description: 'Whether the message is on the path on which the conversation continues.',
  },
  model: orNull(text(300, 'Model that generated the answer.')),
  finish_reason: orNull(text(100, 'Why the answer ended.')),
  tool_calls: {
    type: 'array',
    maxItems: 128,
    items: TOOL_CALL,
    description: 'Tool calls that the answer requests.',
  },
  tool_call_id: text(200, 'For a tool result, the id of the call that it belongs to.'),
  attachments: {
    type: 'array',
    maxItems: 100,
    items: ATTACHMENT,
    description: 'Files sent with the message.',
  },
  error: {
    ...object(['code', 'message'], {
      code: text(100, 'Stable error code.'),
      message: text(10_000, 'What happened.'),
    }),
    description: 'Why the answer is not complete.',
  },
  warning: text(10_000, 'Which part of the answer may be missing.'),
  created_at: time('Time at which the message was stored.'),
  completed_at: orNull(time('Time at which the answer ended.')),
});

/** JSON schema of the format: for the documentation and for validating uploaded files. */
export const CONVERSATION_FILE = object(['version', 'conversation', 'messages'], {
  version: { type: 'integer', enum: [FILE_VERSION], description: 'Version of the format.' },
  conversation: { ...CONVERSATION, description: 'The conversation itself.' },
  messages: {
    type: 'array',
    minItems: 1,
    maxItems: MAX_MESSAGES,
    items: MESSAGE,
    description: 'Messages, parents before their children.',
  },
});

/** The schema as shown in the documentation. */
export const CONVERSATION_FILE_DOC = toDocumentedSchema(CONVERSATION_FILE);
