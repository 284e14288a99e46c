// Real components: the API on a socket, PostgreSQL, the queue and the protocol of a provider. Answers of conversations
// that are based on collections, while they are streamed, in the row, after a reload and after a resume.
import { describe, expect, it } from '@jest/globals';
import { idOf, makeKey } from '../../../support/accounts.js';
import { beginStream, idsIn, nextEvent, rejoin } from '../../../support/answers.js';
import { at, collect, listAt, registerUser, textOf } from '../../../support/client.js';
import { addText, COLLECTIONS } from '../../../support/rag-documents.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const MODEL = 'openai/test-model';

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  DEFAULT_MODEL: MODEL,
  LLM_MAX_RETRIES: '0',
}));
const user = setUpUser(api);

function chatRequests(): unknown[] {
  return provider.requests.filter(({ route }) => route === 'chat').map(({ body }) => body);
}

async function makeCollection(name: string): Promise<string> {
  const { body } = await user.request('POST', COLLECTIONS, { name });
  return String(at(body, 'id'));
}

async function answersOf(conversation: string): Promise<unknown[]> {
  const { body } = await user.request('GET', `/api/v1/conversations/${conversation}/messages`);
  return listAt(body, 'data').filter((message) => at(message, 'role') === 'assistant');
}

describe('an answer of a conversation that is based on a collection', () => {
  it('has the same sources and numbers in the stream, in the row, after a reload and after a resume', async () => {
    await makeCollection('tides');
    const document = await addText(api.url, user, 'tides', 'High tide is at noon.', { title: 'Tides' });
    provider.script({ kind: 'answer', text: ['At noon [', '1] and [', '4', '].'] });
    const message = 'When is high tide?';
    const events = await collect(user.stream('/api/v1/chat/stream', { message, collection: 'tides' }));
    const { conversationId, messageId } = idsIn(events[0]);
    const sources = listAt(events[0], 'sources');
    expect(sources).toMatchObject([
      { index: 1, document_id: document, title: 'Tides', snippet: 'High tide is at noon.' },
    ]);
    expect(textOf(events)).toBe('At noon [1] and.');
    expect(events.at(-2)).toMatchObject({ finished: true, sources, citations: sources });
    const [answer] = await answersOf(conversationId);
    expect(answer).toMatchObject({ content: 'At noon [1] and.', sources, citations: sources });
    const resumed = await collect(rejoin(api.url, user, messageId));
    expect(resumed[0]).toMatchObject({ sources });
    expect(textOf(resumed)).toBe('At noon [1] and.');
    expect(resumed.at(-2)).toMatchObject({ sources, citations: sources });

    const [request] = chatRequests();
    expect(String(at(request, 'messages', 0, 'content'))).not.toContain('High tide');
    const question = String(at(request, 'messages', 1, 'content'));
    expect(question).toContain('High tide is at noon.');
    expect(question).toMatch(/\n\nQuestion: When is high tide\?$/);
    const [stored] = await query(api.database, 'SELECT sources::text FROM messages WHERE id = $1', [
      messageId,
    ]);
    expect(stored?.['sources']).not.toMatch(/noon|Tides/);
  });

  it('is based on the same collection when it is regenerated, and on others if the request names them', async () => {
    await makeCollection('winds');
    await addText(api.url, user, 'winds', 'West winds bring rain.');
    await makeCollection('winds-2');
    await addText(api.url, user, 'winds-2', 'West winds are mild.');
    const first = await user.request('POST', '/api/v1/chat', { message: 'west winds', collection: 'winds' });
    const { conversationId, messageId } = idsIn(first.body);
    const path = `/api/v1/conversations/${conversationId}/messages/${messageId}/regenerate`;
    const again = await user.request('POST', path, {});
    expect(at(again.body, 'sources', 0, 'snippet')).toBe('West winds bring rain.');
    const both = await user.request('POST', path, { collection: ['winds', 'winds-2'] });
    expect(listAt(both.body, 'sources')).toHaveLength(2);
    const next = { message: 'Thanks', conversation_id: conversationId };
    expect(at((await user.request('POST', '/api/v1/chat', next)).body, 'sources')).toBeUndefined();
  });

  it('says so without a model if nothing relevant is found', async () => {
    await makeCollection('empty');
    const answer = await user.request('POST', '/api/v1/chat', { message: 'zebra', collection: 'empty' });
    expect(answer).toMatchObject({ status: 200, body: { sources: [], citations: [], cost_estimate: 0 } });
    expect(String(at(answer.body, 'message'))).toContain('I found nothing about this');
    expect(chatRequests()).toEqual([]);
  });

  it('keeps its text but no longer shows a source that was deleted, or is no longer shared', async () => {
    const collection = await makeCollection('fades');
    const document = await addText(api.url, user, 'fades', 'Fog fades at ten.');
    const reader = await registerUser(api.url);
    const share = `${COLLECTIONS}/${collection}/shares/${await idOf(reader)}`;
    await user.request('PUT', share);
    const asked = { message: 'When does fog fade?', collection };
    const own = idsIn((await user.request('POST', '/api/v1/chat', asked)).body);
    const foreign = idsIn((await reader.request('POST', '/api/v1/chat', asked)).body);
    const gone = [{ index: 1, document_id: document, title: null, snippet: null }];
    await user.request('DELETE', share);
    const { body } = await reader.request('GET', `/api/v1/conversations/${foreign.conversationId}/messages`);
    expect(listAt(body, 'data')[1]).toMatchObject({ sources: gone });
    expect((await answersOf(own.conversationId))[0]).toMatchObject({
      sources: [{ snippet: 'Fog fades at ten.' }],
    });
    await user.request('DELETE', `${COLLECTIONS}/fades/documents/${document}`);
    expect((await answersOf(own.conversationId))[0]).toMatchObject({ sources: gone });
    const refused = await reader.request('POST', '/api/v1/chat', asked);
    expect({ status: refused.status, code: at(refused.body, 'error', 'code') }).toEqual({
      status: 404,
      code: 'not_found',
    });
  });

  it('keeps the brackets of JSON, and is the failure that no JSON is if nothing was found', async () => {
    await makeCollection('formats');
    await addText(api.url, user, 'formats', 'Ferries sail at 12 and 15.');
    provider.script({ kind: 'answer', text: ['{"hours": [12, ', '15], "ids": [1]}'] });
    const body = { collection: 'formats', response_format: { type: 'json_object' } };
    const answer = await user.request('POST', '/api/v1/chat', { ...body, message: 'When do ferries sail?' });
    expect(answer).toMatchObject({ status: 200, body: { message: '{"hours": [12, 15], "ids": [1]}' } });
    const asked = { ...body, message: 'zebra' };
    const nothing = await user.request('POST', '/api/v1/chat', asked);
    const error = {
      code: 'output_parse_error',
      message: expect.stringContaining('no passage of the collections is relevant'),
    };
    expect(nothing).toMatchObject({ status: 422, body: { error } });
    const events = await collect(user.stream('/api/v1/chat/stream', asked));
    expect(listAt(events[0], 'sources')).toEqual([]);
    expect(events.find((event) => at(event, 'error') !== undefined)).toMatchObject({ error });
    const [stored] = await answersOf(idsIn(events[0]).conversationId);
    expect(stored).toMatchObject({
      status: 'failed',
      content: expect.stringContaining('I found nothing about this'),
      sources: [],
      error,
    });
    expect(chatRequests()).toHaveLength(1);
  });

  it('no longer shows a source to a follower that comes after its deletion, while it is still generated', async () => {
    await makeCollection('slow');
    const document = await addText(api.url, user, 'slow', 'Barges are slow.');
    const gate = gatedAnswer(['Slow', ' [1].']);
    provider.script(gate);
    const begun = await beginStream(provider, user, { message: 'Are barges slow?', collection: 'slow' });
    expect(at(begun.first.data, 'sources', 0, 'snippet')).toBe('Barges are slow.');
    gate.release();
    await nextEvent(begun.events);
    const deleted = await user.request('DELETE', `${COLLECTIONS}/slow/documents/${document}`);
    expect(deleted.status).toBe(204);
    const rejoined = rejoin(api.url, user, begun.messageId);
    expect(at((await nextEvent(rejoined)).data, 'sources', 0)).toMatchObject({ title: null, snippet: null });
    await rejoined.return(undefined);
    gate.finish();
    const rest = await collect(begun.events);
    expect(at(rest.at(-2), 'sources', 0)).toMatchObject({ index: 1, title: null, snippet: null });
  });

  it('keeps its sources after the results of tools', async () => {
    await makeCollection('tools');
    await addText(api.url, user, 'tools', 'Tugs tow ships.');
    const tool = { type: 'function', function: { name: 'clock', parameters: { type: 'object' } } };
    provider.script({ kind: 'answer', toolCalls: [{ id: 'call_1', name: 'clock', arguments: '{}' }] });
    const first = await user.request('POST', '/api/v1/chat', {
      message: 'What do tugs tow?',
      collection: 'tools',
      tools: [tool],
    });
    const { messageId } = idsIn(first.body);
    provider.script({ kind: 'answer', text: ['Ships [1] [7].'] });
    const answer = await user.request('POST', `/api/v1/chat/${messageId}/tool-results`, {
      tool_results: [{ tool_call_id: 'call_1', content: 'noon' }],
    });
    expect(answer.body).toMatchObject({
      message: 'Ships [1].',
      sources: [{ index: 1, snippet: 'Tugs tow ships.' }],
    });
    expect(JSON.stringify(chatRequests().at(-1))).toContain('Tugs tow ships.');
  });

  it('asks the same collections when it is generated again after a search that failed', async () => {
    await user.request('POST', COLLECTIONS, { name: 'embedded', embedding_model: 'openai/embedder' });
    await addText(api.url, user, 'embedded', 'Locks lift boats.');
    const asked = { message: 'What lifts boats?', collection: 'embedded' };
    provider.embeddingDimensions = 4;
    const failed = await user.request('POST', '/api/v1/chat', asked);
    provider.embeddingDimensions = 8;
    expect(failed.status).toBe(409);
    const [row] = await query(
      api.database,
      `SELECT id, conversation_id FROM messages WHERE role = 'assistant' AND error_code = 'reindex_required' AND user_id = $1`,
      [await idOf(user)],
    );
    const path = `/api/v1/conversations/${String(row?.['conversation_id'])}/messages/${String(row?.['id'])}/regenerate`;
    const again = await user.request('POST', path, {});
    expect(at(again.body, 'sources', 0, 'snippet')).toBe('Locks lift boats.');
  });

  it('is not based on collections of an earlier answer without the scope rag', async () => {
    await makeCollection('inherited');
    await addText(api.url, user, 'inherited', 'Salaries are secret.');
    const first = await user.request('POST', '/api/v1/chat', {
      message: 'salaries',
      collection: 'inherited',
    });
    const { conversationId, messageId } = idsIn(first.body);
    const { program } = await makeKey(api, user, { scopes: ['chat'] });
    const path = `/api/v1/conversations/${conversationId}/messages/${messageId}/regenerate`;
    const refused = await program.request('POST', path, {});
    expect({ status: refused.status, code: at(refused.body, 'error', 'code') }).toEqual({
      status: 403,
      code: 'insufficient_scope',
    });
  });

  it('needs the scope rag of an API key', async () => {
    await makeCollection('scoped');
    const { program } = await makeKey(api, user, { scopes: ['chat'] });
    const body = { message: 'Hi', collection: 'scoped' };
    const refused = await program.request('POST', '/api/v1/chat', body);
    expect({ status: refused.status, code: at(refused.body, 'error', 'code') }).toEqual({
      status: 403,
      code: 'insufficient_scope',
    });
    expect((await program.request('POST', '/api/v1/chat', { message: 'Hi', collection: null })).status).toBe(
      200,
    );
    const both = await makeKey(api, user, { scopes: ['chat', 'rag'] });
    expect((await both.program.request('POST', '/api/v1/chat', body)).status).toBe(200);
  });
});
