// Every action of a client, from a question to a stop, depends on all that it has seen, so one class holds
// them all.
import { setTimeout as delay } from 'node:timers/promises';
import { at, listAt } from '../client.js';
import { editOf, type KnownMessage, pathOf, questionIn, regenerationOf, type Sending } from './decisions.js';
import { readEvents } from './event-reader.js';
import type { Random } from './random.js';
import { View } from './view.js';
import type { Asking, Question, World } from './world.js';

/** Maximum number of conversations that a client continues. */
const CONVERSATIONS = 3;

/** Maximum number of times a client sends a request. */
const TRIES = 12;

/** Number of messages that a client sees of a conversation, oldest first; the maximum of a page. */
const PAGE = 100;

/** Maximum number of times a client resumes an answer. */
const REJOINS = 5;

/** Maximum time to resume an answer that has ended, in milliseconds. */
const LAST_LOOK_MS = 5000;

/** The outcome of sending a request once. */
type Sent = 'refused' | 'lost' | 'answered' | { readonly unread: View };

/** A user with an account, a bad connection and no patience. */
export class AuditClient {
  readonly #conversations: string[] = [];
  /** Every view of an answer. */
  readonly views: View[] = [];
  #asked = 0;

  /** @param storm aborts when clients stop sending */
  constructor(
    private readonly name: string,
    private readonly token: string,
    private readonly world: World,
    private readonly random: Random,
    private readonly storm: AbortSignal,
  ) {}

  /** Sends one question, edit or regeneration after another until the storm is over. */
  async run(): Promise<void> {
    while (!this.storm.aborted) {
      const sending = await this.#newSending(this.random.fork());
      // Only a request with an Idempotency-Key may be sent twice.
      const doubles =
        sending.asking.key !== undefined && this.random.chance(0.3) ? this.random.whole(1, 2) : 0;
      const delivered = Array.from({ length: doubles + 1 }, (_, index) => {
        if (index > 0) this.#count('doubles at once');
        return this.#deliver(sending, this.random.fork());
      });
      // Another tab, which activates another branch just when a request is sent.
      if (this.random.chance(0.3)) delivered.push(this.#activateAny(this.random.fork()));
      await Promise.all(delivered);
      await this.#pause(this.random.whole(0, 100));
    }
  }

  /**
   * Resumes every answer after the storm, from the last event and from the beginning, and compares it with
   * the stored text.
   */
  async lookAgain(stored: ReadonlyMap<string, string>): Promise<void> {
    const left = this.views.filter(({ ended }) => !ended);
    const answers = new Set(this.views.map(({ answerId }) => answerId));
    const fresh = Array.from(answers, (answerId) => this.#view(answerId, 'last look'));
    for (const view of [...left, ...fresh]) {
      await this.#follow(view, this.random, AbortSignal.timeout(LAST_LOOK_MS));
      if (!view.ended) view.violate('did not receive the end');
      if (view.text !== stored.get(view.answerId))
        view.violate('received something else than what is stored');
    }
  }

  /** Chooses the next request: a branch of an existing conversation, or a question at its end. */
  async #newSending(random: Random): Promise<Sending> {
    this.#asked += 1;
    const message = random.chance(0.45) ? await this.#anyMessage(random) : undefined;
    if (message === undefined) {
      const conversations = this.#conversations.slice(-CONVERSATIONS);
      const goesOn =
        conversations.length === CONVERSATIONS || (conversations.length > 0 && random.chance(0.7));
      const conversation = goesOn ? random.pick(conversations) : undefined;
      return this.#ask('questions', questionIn(conversation, `${this.name} asks ${this.#asked}`, random));
    }
    if (message.role === 'user' && random.chance(0.6)) {
      return this.#ask('edits', editOf(message, `${this.name} asks ${this.#asked} instead`, random));
    }
    const sending = regenerationOf(message, `${this.name} regenerates ${this.#asked}`, random);
    this.#count('regenerations');
    this.#note(sending.asking, `of the question ${sending.asking.questionId}`);
    this.world.regenerations.push(sending.asking);
    return sending;
  }

  #ask(what: string, sending: Sending<Question>): Sending {
    this.#count(what);
    this.world.questions.push(sending.asking);
    return sending;
  }

  /** Returns a message of any branch of any of its conversations, or undefined if it sees none. */
  async #anyMessage(random: Random): Promise<KnownMessage | undefined> {
    const conversations = this.#conversations.slice(-CONVERSATIONS);
    if (conversations.length === 0) return undefined;
    const messages = await this.#look(random.pick(conversations), random);
    return messages.length === 0 ? undefined : random.pick(messages);
  }

  /** Returns all branches of a conversation, or nothing if the request is lost or refused. */
  async #look(conversation: string, random: Random): Promise<readonly KnownMessage[]> {
    const { journal } = this.world;
    try {
      const list = `/api/v1/conversations/${conversation}/messages?branches=all&limit=${PAGE}`;
      const response = await this.#fetch(list, random);
      const body: unknown = await response.json();
      if (response.status !== 200) {
        if (response.status !== 503) journal.violate(conversation, `a look answered ${response.status}`);
        return [];
      }
      const messages = listAt(body, 'data').map((message) => knownFrom(conversation, message));
      const path = messages.filter(({ active }) => active);
      if (path.some(({ parentId }, index) => parentId !== path[index - 1]?.id)) {
        journal.violate(conversation, `the active messages are no path: ${JSON.stringify(path)}`);
      }
      return messages;
    } catch {
      // The process is down.
      return [];
    }
  }

  async #activateAny(random: Random): Promise<void> {
    await this.#pause(random.chance(0.5) ? 0 : random.whole(0, 300));
    const message = await this.#anyMessage(random);
    if (message === undefined || this.storm.aborted) return;
    this.#count('activations');
    try {
      const response = await this.#fetch(`${pathOf(message)}/activate`, random, { method: 'POST' });
      const code = at(await response.json(), 'error', 'code');
      if (response.status === 200) this.#count('activations done');
      else if (response.status !== 503 && code !== 'conversation_busy') {
        this.world.journal.violate(message.id, `activate answered ${response.status} ${String(code)}`);
      }
    } catch {
      // The process is down.
    }
  }

  /** Sends a request until the server has accepted it, and follows the answer for a random time. */
  async #deliver(sending: Sending, random: Random): Promise<void> {
    const { asking } = sending;
    for (let tries = 1; tries <= TRIES && !this.storm.aborted; tries += 1) {
      const sent = await this.#send(sending, random);
      if (sent === 'answered') return;
      if (typeof sent === 'object') {
        await this.#comeBack(sent.unread, sending, random);
        return;
      }
      if (sent === 'lost') {
        asking.lost = true;
        // Without a key the client cannot know whether it was accepted: sending it again would request
        // another answer.
        if (asking.key === undefined || random.chance(0.1)) return;
        this.#count('doubles after a loss');
      } else this.#count('refusals');
      await this.#pause(random.whole(100, 600));
    }
  }

  async #send(sending: Sending, random: Random): Promise<Sent> {
    const { asking, path, body } = sending;
    const leaving = new AbortController();
    const timer = this.#leaveAt(leaving, random, 0.5);
    try {
      const response = await this.#fetch(path, random, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: asking.key === undefined ? {} : { 'idempotency-key': asking.key },
        signal: leaving.signal,
      });
      const answerId = response.headers.get('x-message-id');
      if (answerId === null) return await this.#refused(asking, response);
      this.#accept(asking, answerId, response);
      const view = this.#view(answerId, `POST ${response.headers.get('idempotent-replayed') ?? 'false'}`);
      if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
        await this.#read(view, response);
      } else {
        const answer: unknown = await response.json();
        if (response.status === 200) view.takeWhole(String(at(answer, 'message')));
        else view.fail(at(answer, 'error', 'code'));
      }
      return view.ended ? 'answered' : { unread: view };
    } catch (error) {
      this.#note(asking, `lost a request: ${String(error)}`);
      return 'lost';
    } finally {
      clearTimeout(timer);
    }
  }

  async #refused(asking: Asking, response: Response): Promise<'refused' | 'lost'> {
    const code = at(await response.json(), 'error', 'code');
    this.#note(asking, `refused: ${response.status} ${String(code)}`);
    if (code === 'conversation_busy' || code === 'provider_unavailable') return 'refused';
    if (response.status !== 503) {
      this.world.journal.violate(asking.name, `answered ${response.status} ${String(code)}`);
    }
    return 'lost';
  }

  #accept(asking: Asking, answerId: string, response: Response): void {
    this.#count('answers begun or replayed');
    asking.answers.add(answerId);
    const conversation = response.headers.get('x-conversation-id');
    if (conversation !== null && !this.#conversations.includes(conversation)) {
      this.#conversations.push(conversation);
    }
  }

  /** Handles a connection that ended too early: resumes, sends again, or gives up. */
  async #comeBack(first: View, sending: Sending, random: Random): Promise<void> {
    let view = first;
    if (random.chance(0.3)) void this.#stop(view, random);
    for (let rejoins = 0; rejoins < REJOINS && !view.ended && !this.storm.aborted; rejoins += 1) {
      if (random.chance(0.15)) return;
      await this.#pause(random.whole(0, 400));
      if (sending.asking.key !== undefined && random.chance(0.2)) {
        this.#count('doubles after a loss');
        const sent = await this.#send(sending, random);
        if (typeof sent === 'object') view = sent.unread;
        if (sent === 'answered') return;
      } else {
        if (random.chance(0.2)) view = this.#view(view.answerId, 'rejoin from the beginning');
        await this.#rejoin(view, random);
      }
    }
  }

  async #rejoin(view: View, random: Random): Promise<void> {
    this.#count('rejoins');
    const leaving = new AbortController();
    const timer = this.#leaveAt(leaving, random, 0.4);
    try {
      await this.#follow(view, random, leaving.signal);
    } catch {
      // The process is down, or this client disconnected.
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Resumes a view after its last event, on any process.
   * @throws errors of the connection
   */
  async #follow(view: View, random: Random, signal: AbortSignal): Promise<void> {
    const { lastEventId } = view;
    const response = await this.#fetch(`/api/v1/chat/stream/${view.answerId}`, random, {
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
      signal,
    });
    view.note(`rejoined ${response.url} from ${lastEventId ?? 'the beginning'}`);
    if (response.status === 200) await this.#read(view, response);
    else if (response.status !== 503) view.violate(`a rejoin answered ${response.status}`);
  }

  async #read(view: View, response: Response): Promise<void> {
    try {
      for await (const event of readEvents(response)) view.take(event);
      if (!view.ended) view.violate('a stream ended without saying how');
    } catch (error) {
      view.note(`lost at ${view.lastEventId ?? 'the beginning'}: ${String(error)}`);
    }
  }

  async #stop(view: View, random: Random): Promise<void> {
    await this.#pause(random.whole(0, 800));
    if (this.storm.aborted) return;
    this.#count('stops');
    try {
      const path = `/api/v1/chat/${view.answerId}/stop`;
      const response = await this.#fetch(path, random, { method: 'POST' });
      const body: unknown = await response.json();
      view.note(`stop at ${response.url} answered ${response.status} ${String(at(body, 'status'))}`);
      if (response.status !== 200) {
        if (response.status !== 503) view.violate(`a stop answered ${response.status}`);
        return;
      }
      const { answerId } = view;
      this.world.reportedEnds.push({ answerId, content: at(body, 'content'), status: at(body, 'status') });
    } catch {
      // The process is down.
    }
  }

  #fetch(
    path: string,
    random: Random,
    options: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Response> {
    return fetch(`${this.world.url(random)}${path}`, {
      ...options,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${this.token}`,
        ...options.headers,
      },
    });
  }

  #view(answerId: string, how: string): View {
    const view = new View(answerId, `${this.name}, view ${this.views.length + 1}`, this.world.journal);
    view.note(`begins: ${how}`);
    this.views.push(view);
    return view;
  }

  /** Aborts a connection at a random time, or never; independent of the end of the storm. */
  #leaveAt(leaving: AbortController, random: Random, probability: number): NodeJS.Timeout | undefined {
    if (!random.chance(probability)) return undefined;
    return setTimeout(
      () => {
        this.#count('connections dropped');
        leaving.abort();
      },
      random.whole(0, 1000),
    );
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.storm }).catch(() => undefined);
  }

  #note({ name }: Asking, what: string): void {
    this.world.journal.note(name, what);
  }

  #count(what: string): void {
    this.world.journal.count(what);
  }
}

function knownFrom(conversationId: string, message: unknown): KnownMessage {
  const parentId = at(message, 'parent_id');
  return {
    id: String(at(message, 'id')),
    conversationId,
    role: at(message, 'role') === 'user' ? 'user' : 'assistant',
    parentId: typeof parentId === 'string' ? parentId : undefined,
    active: at(message, 'active') === true,
  };
}
