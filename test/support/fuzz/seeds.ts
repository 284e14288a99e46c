import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { idOf, makeKey, registerAdmin } from '../accounts.js';
import type { TestApi } from '../api.js';
import { batchLine, createOpenAiBatch, uploadBatchInput } from '../batches.js';
import { at, listAt, registerUser, type TestUser } from '../client.js';
import { PNG, uploadedId } from '../files.js';
import { makePdf } from '../pdf.js';
import { query, until } from '../stored.js';
import type { Operation } from './operations.js';

/** The password that {@link registerUser} uses. */
const PASSWORD = 'a long password';

const COLLECTIONS = '/api/v1/rag/collections';
const WEBHOOKS = '/api/v1/webhooks';

/** A port of this machine that nothing listens on. */
const RECEIVER_URL = 'http://127.0.0.1:9/hooks';

/** Maximum time for the text of a file, in milliseconds. */
const EXTRACTION_MS = 90_000;

/** The tool call in the answers of {@link FuzzWorld.toolCall}. */
const TOOL_CALL = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{}' } };

/** The ids of a turn. */
interface KeptTurn {
  readonly conversationId: string;
  readonly questionId: string;
  readonly messageId: string;
}

/**
 * The accounts that send requests, and the resources in them. Resources that a request has used up are
 * created again.
 */
export class FuzzWorld {
  private self: Promise<TestUser> | undefined;
  private managed: Promise<string> | undefined;
  private shared: Promise<string> | undefined;
  private collected: Promise<string> | undefined;
  private requests = 0;
  private kept: Promise<KeptTurn> | undefined;

  private constructor(
    readonly api: TestApi,
    readonly admin: TestUser,
    /** The id of a file whose text is extracted. */
    readonly text: string,
    /** The id of a PDF whose text is extracted. */
    readonly pdf: string,
  ) {}

  /**
   * Creates the accounts and files. The texts are extracted before the first request: the extraction has a low priority,
   * so on a busy machine each request with a new file would wait until it is given up.
   */
  static async create(api: TestApi): Promise<FuzzWorld> {
    const admin = await registerAdmin(api);
    const text = await uploadedId(api.url, admin);
    const pdf = await uploadedId(api.url, admin, { name: 'a.pdf', bytes: await makePdf(['All is well.']) });
    const extracted = [text, pdf].map((id) =>
      until(
        'the text of a file',
        async () => {
          const { body } = await admin.request('GET', `/api/v1/files/${id}`);
          return at(body, 'text_status') === 'ready';
        },
        EXTRACTION_MS,
      ),
    );
    await Promise.all(extracted);
    return new FuzzWorld(api, admin, text, pdf);
  }

  /** Returns an account that may be changed and deleted. */
  throwaway(): Promise<TestUser> {
    this.self ??= registerUser(this.api.url);
    return this.self;
  }

  /** Returns the id of an account that an admin may change and delete. */
  managedAccount(): Promise<string> {
    this.managed ??= registerUser(this.api.url).then(idOf);
    return this.managed;
  }

  /** Returns the id of a conversation for shares. */
  sharedConversation(): Promise<string> {
    this.shared ??= this.made('POST', '/api/v1/chat', { message: 'Hello' }, 'conversation_id');
    return this.shared;
  }

  /** Returns the id of a collection that is never deleted. */
  collection(): Promise<string> {
    this.collected ??= this.made('POST', COLLECTIONS, { name: `kept-${randomUUID()}` }, 'id');
    return this.collected;
  }

  /** Returns the id of a collection that may be deleted. An account has a limited number, so old ones are used up. */
  async spareCollection(): Promise<string> {
    const kept = await this.collection();
    const { body } = await this.admin.request('GET', `${COLLECTIONS}?limit=100`);
    const spare = listAt(body, 'data')
      .map((collection) => at(collection, 'id'))
      .find((id) => id !== kept);
    return typeof spare === 'string' ? spare : this.made('POST', COLLECTIONS, { name: randomName() }, 'id');
  }

  /** Returns the URL of a receiver. An account has a limited number of webhooks, so old ones are deleted before. */
  async receiverUrl(): Promise<string> {
    const { body } = await this.admin.request('GET', `${WEBHOOKS}?limit=100`);
    const ids = listAt(body, 'data').map((webhook) => String(at(webhook, 'id')));
    // Leaves room for concurrent requests.
    for (const id of ids.slice(4)) await this.admin.request('DELETE', `${WEBHOOKS}/${id}`);
    return RECEIVER_URL;
  }

  /** Returns the id of a new webhook. */
  async webhook(): Promise<string> {
    const url = await this.receiverUrl();
    return this.made('POST', WEBHOOKS, { url, events: ['batch.completed'] }, 'id');
  }

  /** Returns the id of a new document of the collection that is never deleted. */
  async document(): Promise<string> {
    const text = `A passage about ${randomUUID()}.`;
    return this.made('POST', `${COLLECTIONS}/${await this.collection()}/documents`, { text }, 'id');
  }

  /** Returns the id of a new batch. An account has a limited number that have not ended, so old ones are deleted. */
  async batch(): Promise<string> {
    const { body } = await this.admin.request('GET', '/api/v1/batch');
    for (const old of listAt(body, 'data'))
      await this.admin.request('DELETE', `/api/v1/batch/${String(at(old, 'job_id'))}`);
    return this.made('POST', '/api/v1/batch', { texts: ['Hello'] }, 'job_id');
  }

  /** Returns the id of a batch that has ended. */
  async endedBatch(): Promise<string> {
    const id = await this.batch();
    await until('the end of a batch', async () => {
      const { body } = await this.admin.request('GET', `/api/v1/batch/${id}`);
      return at(body, 'ended_at') !== null;
    });
    return id;
  }

  /** Returns the account that sends the requests of an operation. */
  actorOf({ path }: Operation): Promise<TestUser> {
    return path.startsWith('/api/v1/users/me') ? this.throwaway() : Promise.resolve(this.admin);
  }

  /**
   * Called with every response: a request that may have changed the throwaway account ends its use, and so
   * does the deletion of the managed one. Otherwise they are reused, since a registration hashes a password,
   * which costs more than a request.
   */
  heed({ method, path }: Operation, status: number): void {
    if (method === 'DELETE' && path === '/api/v1/users/{id}' && status < 400) this.managed = undefined;
    if (method === 'GET') return;
    const touches = path.startsWith('/api/v1/users/me') || path.startsWith('/api/v1/auth/');
    if (touches && status !== 400) this.self = undefined;
  }

  /** Returns a different address for each request, so that the run is not throttled for password guessing. */
  nextAddress(): string {
    this.requests += 1;
    const bytes = [16, 8, 0].map((shift) => (this.requests >> shift) & 255);
    return `10.${bytes.join('.')}`;
  }

  /** Returns a turn of a conversation that is never deleted. */
  turn(): Promise<KeptTurn> {
    this.kept ??= this.begin();
    return this.kept;
  }

  /** Returns an answer that calls a tool, written by SQL because none of these models calls one. */
  async toolCall(): Promise<string> {
    const id = await this.made('POST', '/api/v1/chat', { message: 'Hello' }, 'message_id');
    await query(this.api.database, 'UPDATE messages SET tool_calls = $2 WHERE id = $1', [
      id,
      JSON.stringify([TOOL_CALL]),
    ]);
    return id;
  }

  private async begin(): Promise<KeptTurn> {
    const { body } = await this.admin.request('POST', '/api/v1/chat', { message: 'Hello' });
    const conversationId = String(at(body, 'conversation_id'));
    const list = await this.admin.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    const questionId = String(at(list.body, 'first_id'));
    return { conversationId, questionId, messageId: String(at(body, 'message_id')) };
  }

  async made(method: string, path: string, body: object, ...keys: readonly string[]): Promise<string> {
    const answer = await this.admin.request(method, path, body);
    const value = at(answer.body, ...keys);
    if (typeof value !== 'string') throw new Error(`${method} ${path} made nothing: ${answer.status}`);
    return value;
  }
}

/**
 * A value that the schema cannot specify: a placeholder for a resource that exists when the request is sent.
 */
export class Seed {
  constructor(
    readonly what: string,
    readonly give: (world: FuzzWorld) => unknown,
  ) {}

  /** Formats the seed in fast-check's counterexamples. */
  [fc.toStringMethod](): string {
    return `<${this.what}>`;
  }
}

function randomName(): string {
  return `c-${randomUUID().slice(0, 8)}`;
}

/** The seeds of an operation, by field or parameter; the first of each makes a valid request. */
export type Seeds = Readonly<Record<string, readonly Seed[]>>;

const literal = (value: unknown): Seed => new Seed(JSON.stringify(value), () => value);

const conversation = [
  new Seed('a conversation', (world) =>
    world.made('POST', '/api/v1/chat', { message: 'Hello' }, 'conversation_id'),
  ),
];
const answer = [
  new Seed('an answer', (world) => world.made('POST', '/api/v1/chat', { message: 'Hello' }, 'message_id')),
];
const file = [new Seed('a file', ({ api, admin }) => uploadedId(api.url, admin))];
const newBatch = {
  texts: [literal(['Hello', 'Good evening'])],
  requests: [
    literal([{ custom_id: 'a', text: 'Hello' }, { messages: [{ role: 'user', content: 'Hello' }] }]),
  ],
  input_file_id: [literal(null)],
};
const batch = { job_id: [new Seed('a batch', (world) => world.batch())] };
const batchInput = [
  new Seed('a file of requests', ({ api, admin }) => uploadBatchInput(api.url, admin, batchLine('a'))),
];
const openAiBatch = [new Seed('a batch', ({ api, admin }) => createOpenAiBatch(api.url, admin))];
const pdf = [new Seed('a PDF', (world) => world.pdf)];
const text = [new Seed('a file whose text is extracted', (world) => world.text)];
const download = {
  id: file,
  Range: ['bytes=0-1', 'bytes=-3', 'bytes=9-', 'bytes=0-0,2-3'].map(literal),
  'If-None-Match': ['"other"', '*'].map(literal),
};
/** A conversation with a turn, and the answer in it: the two belong together. */
const branch = {
  id: [new Seed('a conversation with an answer', async (world) => (await world.turn()).conversationId)],
  message_id: [new Seed('its answer', async (world) => (await world.turn()).messageId)],
};
const files = [
  literal([]),
  new Seed('files', async ({ api, admin }) => [
    await uploadedId(api.url, admin),
    await uploadedId(api.url, admin, { bytes: PNG }),
  ]),
];
const conversationFile = {
  version: [literal(1)],
  conversation: [literal({ title: 'Imported' })],
  messages: [
    literal([
      {
        id: 'one',
        parent_id: null,
        role: 'user',
        status: 'complete',
        content: 'Hello',
        active: true,
        created_at: '2026-11-21T08:00:00Z',
      },
    ]),
  ],
};
const sharedConversation = [new Seed('a conversation to share', (world) => world.sharedConversation())];
const shareOf = (what: 'id' | 'token') => [
  new Seed(`the ${what} of a share`, async (world) =>
    world.made('POST', `/api/v1/conversations/${await world.sharedConversation()}/share`, {}, what),
  ),
];
const collection = [new Seed('a collection', (world) => world.collection())];
const document = { collection, id: [new Seed('a document', (world) => world.document())] };
const documentContent = {
  file_id: file,
  text: [new Seed('a text', () => `A passage about ${randomUUID()}.`)],
  title: [literal('Handbook')],
  metadata: [literal({ year: 2026, lang: 'en', tags: ['a', 'b'] })],
};
const searchScope = {
  collection,
  collections: [new Seed('collections', async (world) => [await world.collection()])],
  filter: [literal({ lang: 'en' }), literal({ or: [{ year: { gte: 2020 } }, { tags: 'a' }] })],
};
const indexSettings = {
  embedding_model: [literal(null)],
  chunk_tokens: [literal(200), literal(800)],
  chunk_overlap: [literal(0), literal(50)],
};
const account = [new Seed('an account', (world) => world.managedAccount())];
const apiKey = [new Seed('an API key', async ({ api, admin }) => (await makeKey(api, admin)).id)];
const webhook = { id: [new Seed('a webhook', (world) => world.webhook())] };
const ownEmail = [new Seed('its email', async (world) => (await world.throwaway()).email)];
const newEmail = [new Seed('a new email', () => `new-${randomUUID()}@example.com`)];
const ownPassword = [literal(PASSWORD)];
const provider = [literal('openai')];
const providerWithKey = [
  new Seed('a provider with a key', (world) =>
    world.made('PUT', '/api/v1/provider-keys/openai', { key: 'sk-own-0123456789' }, 'provider'),
  ),
];
const refreshToken = [
  new Seed('a refresh token', async (world) => {
    const { email } = await world.throwaway();
    return world.made('POST', '/api/v1/auth/login', { email, password: PASSWORD }, 'refresh_token');
  }),
];
const model = ['openai/test-model', 'anthropic/test-model', 'ollama/test-model', 'demo/echo'].map(literal);
const localModel = ['ollama/test-model', 'test-model'].map(literal);
const messages = [
  literal([{ role: 'user', content: 'Hello' }]),
  literal([
    { role: 'user', content: 'One' },
    { role: 'assistant', content: 'Two' },
    { role: 'user', content: [{ type: 'text', text: 'Three' }] },
  ]),
];
const counts = [literal(1), literal(64)];
const ask = { model, messages, max_tokens: counts, max_completion_tokens: counts };

/**
 * Values that the schemas of a route cannot specify. A route without seeds is tested with values of its
 * schemas only.
 */
const SEEDS: Readonly<Record<string, Seeds>> = {
  'post /api/v1/auth/register': { email: newEmail },
  'post /api/v1/auth/login': { email: ownEmail, password: ownPassword },
  'post /api/v1/auth/refresh': { refresh_token: refreshToken },
  'post /api/v1/auth/logout': { refresh_token: refreshToken },
  'post /api/v1/users/me/password': { current_password: ownPassword },
  'patch /api/v1/users/me': { email: newEmail, current_password: ownPassword },
  'get /api/v1/users/{id}': { id: account },
  'patch /api/v1/users/{id}': { id: account },
  'delete /api/v1/users/{id}': { id: account },
  'delete /api/v1/api-keys/{id}': { id: apiKey },
  'post /api/v1/api-keys': { name: [literal('Nightly')], expires_at: [literal('2999-01-01T00:00:00Z')] },
  'post /api/v1/webhooks': {
    url: [new Seed('a receiver', (world) => world.receiverUrl())],
    events: [literal(['batch.completed'])],
  },
  'get /api/v1/webhooks/{id}': webhook,
  'delete /api/v1/webhooks/{id}': webhook,
  'post /api/v1/webhooks/{id}/rotate': webhook,
  'get /api/v1/webhooks/{id}/deliveries': webhook,
  'get /api/v1/provider-keys/{provider}': { provider: providerWithKey },
  'put /api/v1/provider-keys/{provider}': { provider, key: [literal('sk-own-0123456789')] },
  'delete /api/v1/provider-keys/{provider}': { provider: providerWithKey },
  'post /api/v1/chat': { message: [literal('Hello')], conversation_id: conversation, model, file_ids: files },
  'post /api/v1/chat/stream': {
    message: [literal('Hello')],
    conversation_id: conversation,
    model,
    file_ids: files,
  },
  'get /api/v1/chat/stream/{message_id}': { message_id: answer },
  'post /api/v1/chat/{message_id}/stop': { message_id: answer },
  'post /api/v1/chat/{message_id}/tool-results': {
    message_id: [new Seed('an answer that calls a tool', (world) => world.toolCall())],
    tool_results: [literal([{ tool_call_id: TOOL_CALL.id, content: 'cold' }])],
    model,
  },
  'get /api/v1/conversations/{id}': { id: conversation },
  'patch /api/v1/conversations/{id}': { id: conversation, title: [literal('The sky')] },
  'delete /api/v1/conversations/{id}': { id: conversation },
  'get /api/v1/conversations/{id}/messages': { id: conversation },
  'post /api/v1/analyze/pdf': { file_id: pdf, question: [literal('What is it?')], model },
  'post /api/v1/rag/collections': {
    ...indexSettings,
    name: [new Seed('a new name', randomName)],
    description: [literal('Rules')],
  },
  'get /api/v1/rag/collections/{collection}': { collection },
  'patch /api/v1/rag/collections/{collection}': {
    collection,
    name: [new Seed('a new name', randomName)],
    description: [literal('Rules')],
    ...indexSettings,
  },
  'delete /api/v1/rag/collections/{collection}': {
    collection: [new Seed('a collection to delete', (world) => world.spareCollection())],
  },
  'post /api/v1/rag/collections/{collection}/reindex': { collection, ...indexSettings },
  'get /api/v1/rag/collections/{collection}/shares': { collection },
  'put /api/v1/rag/collections/{collection}/shares/{user_id}': { collection, user_id: account },
  'delete /api/v1/rag/collections/{collection}/shares/{user_id}': {
    collection,
    user_id: [
      new Seed('a reader', async (world) => {
        const id = await world.managedAccount();
        await world.admin.request('PUT', `${COLLECTIONS}/${await world.collection()}/shares/${id}`);
        return id;
      }),
    ],
  },
  'get /api/v1/rag/collections/{collection}/documents': { collection },
  'post /api/v1/rag/collections/{collection}/documents': { collection, ...documentContent },
  'get /api/v1/rag/collections/{collection}/documents/{id}': document,
  'put /api/v1/rag/collections/{collection}/documents/{id}': { ...document, ...documentContent },
  'delete /api/v1/rag/collections/{collection}/documents/{id}': document,
  'post /api/v1/rag/collections/{collection}/documents/{id}/cancel': document,
  'post /api/v1/rag/collections/{collection}/documents/{id}/retry': document,
  'get /api/v1/rag/collections/{collection}/documents/{id}/events': document,
  'post /api/v1/rag/search': { query: [literal('passage')], ...searchScope },
  'post /api/v1/rag/query': { question: [literal('Which passage?')], model, ...searchScope },
  'post /api/v1/batch': newBatch,
  'get /api/v1/batch/{job_id}': batch,
  'delete /api/v1/batch/{job_id}': batch,
  'get /api/v1/batch/{job_id}/results': batch,
  'get /api/v1/batch/{job_id}/events': {
    job_id: [new Seed('an ended batch', (world) => world.endedBatch())],
  },
  'post /api/v1/batch/{job_id}/cancel': batch,
  'post /api/v1/batch/{job_id}/retry': {
    job_id: [new Seed('an ended batch', (world) => world.endedBatch())],
  },
  'get /api/v1/files/{id}': { id: file },
  'get /api/v1/files/{id}/text': { id: text, page: [literal(1)] },
  'get /api/v1/files/{id}/content': download,
  'delete /api/v1/files/{id}': { id: file },
  'post /api/v1/conversations/{id}/messages/{message_id}/activate': branch,
  'post /api/v1/conversations/{id}/messages/{message_id}/edit': {
    id: branch.id,
    message_id: [new Seed('its question', async (world) => (await world.turn()).questionId)],
    message: [literal('Hello')],
    model,
  },
  'post /api/v1/conversations/{id}/messages/{message_id}/regenerate': { ...branch, model },
  'get /api/v1/conversations/{id}/messages/{message_id}/siblings': branch,
  'post /api/v1/conversations/import': conversationFile,
  'get /api/v1/conversations/{id}/export': { id: conversation },
  'post /api/v1/conversations/{id}/share': { id: conversation },
  'get /api/v1/conversations/{id}/shares': { id: conversation },
  'delete /api/v1/conversations/{id}/shares/{share_id}': {
    id: sharedConversation,
    share_id: shareOf('id'),
  },
  'get /api/v1/shared/{token}': { token: shareOf('token') },
  'get /api/v1/shared/{token}/messages': { token: shareOf('token') },
  'get /api/v1/usage': { from: [literal('2026-01-01')], to: [literal('2026-01-31')] },
  'post /v1/messages': ask,
  'post /v1/messages/count_tokens': ask,
  'post /v1/chat/completions': {
    ...ask,
    collection: [...collection, ...searchScope.collections],
    'X-Conversation-ID': [literal('new'), ...conversation],
  },
  'post /v1/completions': { model, prompt: [literal('Hello')], max_tokens: counts },
  'post /v1/embeddings': {
    model: ['openai/test-model', 'ollama/test-model'].map(literal),
    input: [literal('Hello'), literal(['One', 'Two'])],
    dimensions: counts,
  },
  'post /v1/batches': {
    input_file_id: batchInput,
    endpoint: [literal('/v1/chat/completions')],
    completion_window: [literal('24h')],
    metadata: [literal({ project: 'reviews' })],
    output_expires_after: [literal({ anchor: 'created_at', seconds: 3600 })],
  },
  'get /v1/batches': { after: openAiBatch },
  'get /v1/batches/{id}': { id: openAiBatch },
  'post /v1/batches/{id}/cancel': { id: openAiBatch },
  'get /v1/files': { after: file },
  'get /v1/files/{id}': { id: file },
  'get /v1/files/{id}/content': download,
  'delete /v1/files/{id}': { id: file },
  'get /v1/models/{model}': { model },
  'post /ollama/api/chat': { model: localModel, messages },
  'post /ollama/api/generate': { model: localModel, prompt: [literal('Hello')] },
};

/** Returns the seeds of an operation. */
export function seedsOf({ method, path }: Operation): Seeds {
  return SEEDS[`${method.toLowerCase()} ${path}`] ?? {};
}
