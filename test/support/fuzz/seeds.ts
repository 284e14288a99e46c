import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { idOf, makeKey, registerAdmin } from '../accounts.js';
import type { TestApi } from '../api.js';
import { at, registerUser, type TestUser } from '../client.js';
import type { Operation } from './operations.js';

/** What {@link registerUser} registers with. */
const PASSWORD = 'a long password';

/** Who asks, and what is there to be asked for. What a request has used up is made anew. */
export class World {
  private self: Promise<TestUser> | undefined;
  private shared: Promise<string> | undefined;
  private requests = 0;

  private constructor(
    readonly api: TestApi,
    readonly admin: TestUser,
  ) {}

  static async create(api: TestApi): Promise<World> {
    return new World(api, await registerAdmin(api));
  }

  /** An account that may be changed and deleted. */
  throwaway(): Promise<TestUser> {
    this.self ??= registerUser(this.api.url);
    return this.self;
  }

  /** A conversation that shares are made of. */
  sharedConversation(): Promise<string> {
    this.shared ??= this.made('POST', '/api/v1/chat', { message: 'Hello' }, 'conversation_id');
    return this.shared;
  }

  /** Who sends the requests of an operation. */
  actorOf({ path }: Operation): Promise<TestUser> {
    return path.startsWith('/api/v1/users/me') ? this.throwaway() : Promise.resolve(this.admin);
  }

  /** To be told of every answer: whatever may have changed the throwaway account ends it. */
  heed({ path }: Operation, status: number): void {
    const touches = path.startsWith('/api/v1/users/me') || path.startsWith('/api/v1/auth/');
    if (touches && status !== 400) this.self = undefined;
  }

  /** Each request comes from an address of its own: a run is no guesser of passwords. */
  nextAddress(): string {
    this.requests += 1;
    const bytes = [16, 8, 0].map((shift) => (this.requests >> shift) & 255);
    return `10.${bytes.join('.')}`;
  }

  async made(method: string, path: string, body: object, ...keys: readonly string[]): Promise<string> {
    const answer = await this.admin.request(method, path, body);
    const value = at(answer.body, ...keys);
    if (typeof value !== 'string') throw new Error(`${method} ${path} made nothing: ${answer.status}`);
    return value;
  }
}

/** A value that the schema cannot know: it stands for what exists when the request is sent. */
export class Seed {
  constructor(
    readonly what: string,
    readonly give: (world: World) => unknown,
  ) {}

  /** For fast-check's counterexamples. */
  [fc.toStringMethod](): string {
    return `<${this.what}>`;
  }
}

/** The seeds of an operation, by field or parameter; the first of each makes a good request. */
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
const account = [new Seed('an account', async (world) => idOf(await registerUser(world.api.url)))];
const apiKey = [new Seed('an API key', async ({ api, admin }) => (await makeKey(api, admin)).id)];
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

/** What the schemas of a route cannot know. A route that is missing here is run with what its schemas say. */
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
  'get /api/v1/provider-keys/{provider}': { provider: providerWithKey },
  'put /api/v1/provider-keys/{provider}': { provider, key: [literal('sk-own-0123456789')] },
  'delete /api/v1/provider-keys/{provider}': { provider: providerWithKey },
  'post /api/v1/chat': { message: [literal('Hello')], conversation_id: conversation, model },
  'post /api/v1/chat/stream': { message: [literal('Hello')], conversation_id: conversation, model },
  'get /api/v1/chat/stream/{message_id}': { message_id: answer },
  'post /api/v1/chat/{message_id}/stop': { message_id: answer },
  'get /api/v1/conversations/{id}': { id: conversation },
  'patch /api/v1/conversations/{id}': { id: conversation, title: [literal('The sky')] },
  'delete /api/v1/conversations/{id}': { id: conversation },
  'get /api/v1/conversations/{id}/messages': { id: conversation },
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
  'post /v1/chat/completions': ask,
  'post /v1/completions': { model, prompt: [literal('Hello')], max_tokens: counts },
  'post /v1/embeddings': {
    model: ['openai/test-model', 'ollama/test-model'].map(literal),
    input: [literal('Hello'), literal(['One', 'Two'])],
    dimensions: counts,
  },
  'get /v1/models/{model}': { model },
  'post /ollama/api/chat': { model: localModel, messages },
  'post /ollama/api/generate': { model: localModel, prompt: [literal('Hello')] },
};

/** The seeds of an operation. */
export function seedsOf({ method, path }: Operation): Seeds {
  return SEEDS[`${method.toLowerCase()} ${path}`] ?? {};
}
