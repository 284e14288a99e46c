import { describe, expect, it } from '@jest/globals';
import { readOllamaEmbeddings, readModelNames, readImageSupport, textsOf } from './ollama-catalog.js';

/** Recorded from `POST /api/embed`, shortened. */
const EMBEDDINGS: unknown = JSON.parse(
  '{"model":"all-minilm","embeddings":[[0.010071029,-0.0017594862],[-0.0098027075,0.06042469]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}',
);

/** Recorded from `GET /api/tags`, shortened. */
const TAGS: unknown = JSON.parse(
  '{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2025-05-04T17:37:44.706015396-07:00","size":3825819519,"digest":"fe938a131f40","details":{"format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"}},{"size":1}]}',
);

const unreadable: unknown = expect.objectContaining({ kind: 'unreadable_answer' });

describe('the reader of embeddings', () => {
  it('reads vectors and the tokens of the input', () => {
    expect(readOllamaEmbeddings(EMBEDDINGS, 2)).toEqual({
      vectors: [
        [0.010071029, -0.0017594862],
        [-0.0098027075, 0.06042469],
      ],
      inputTokens: 8,
    });
    expect(readOllamaEmbeddings({ embeddings: [[1]] }, 1).inputTokens).toBeUndefined();
    expect(
      readOllamaEmbeddings({ embeddings: [[1]], error: null, prompt_eval_count: '8' }, 1).inputTokens,
    ).toBe(8);
  });

  it.each([
    ['too few', EMBEDDINGS, 3],
    ['none', {}, 1],
    ['an empty one', { embeddings: [[]] }, 1],
    ['texts in them', { embeddings: [['0.1']] }, 1],
    ['nothing at all', null, 1],
  ])('refuses a response with %s', (_name, answer, count) => {
    expect(() => readOllamaEmbeddings(answer, count)).toThrow(unreadable);
  });

  it('accepts texts, but no tokens', () => {
    expect(textsOf(['a', 'b'])).toEqual(['a', 'b']);
    expect(() => textsOf([[1, 2]])).toThrow(expect.objectContaining({ kind: 'rejected' }));
  });

  it('detects an error with a success status', () => {
    const error = { error: 'the input length exceeds the context length' };
    expect(() => readOllamaEmbeddings(error, 1)).toThrow(
      expect.objectContaining({ kind: 'context_length_exceeded' }),
    );
  });
});

describe('the reader of the model list', () => {
  it('reads the names', () => {
    expect(readModelNames(TAGS)).toEqual(['llama3.2:latest']);
    expect(() => readModelNames({ models: null })).toThrow(unreadable);
  });
});

describe('capabilities of a model', () => {
  /** Recorded from `POST /api/show`, shortened. */
  const show = (capabilities: string): unknown =>
    JSON.parse(
      `{"license":"…","modelfile":"…","details":{"format":"gguf","family":"gemma3","parameter_size":"4.3B"},"model_info":{"general.architecture":"gemma3"},"capabilities":${capabilities},"modified_at":"2025-08-14T15:49:43.634137516-07:00"}`,
    );

  it('include image support', () => {
    expect(readImageSupport(show('["completion","vision"]'))).toBe(true);
    expect(readImageSupport(show('["completion","tools"]'))).toBe(false);
  });

  it('are unknown if the server is too old to report them', () => {
    expect(readImageSupport({ license: '…', details: {} })).toBeUndefined();
  });

  it('are an error if the model does not exist', () => {
    expect(() => readImageSupport({ error: "model 'x' not found" })).toThrow('not found');
  });
});
