/*
 * RETRIEVAL_DATA=… node bench/retrieval/relevance.mjs
 *
 * How often words alone decide rightly that nothing is relevant, for each language of XQuAD: the share of questions for
 * which a collection has no relevant passage although it has the answer (lost, should be 0), and although it has not. The
 * latter are asked to each article that does not have the answer, and to every second article. "any term" counts passages
 * with any term of the question as relevant, also function words, for comparison. In memory, without a database.
 */
import { dataFolder, loadRetrievalSets } from './datasets.mjs';
import { MemoryIndex } from './memory-index.mjs';
import { mean } from './metrics.mjs';

const modelFolder = new URL('../../dist/features/rag/model/', import.meta.url);
const model = {
  ...(await import(new URL('tokenizer.js', modelFolder).href)),
  ...(await import(new URL('relevance.js', modelFolder).href)),
};

/** Returns how a set of passages decides about a question whose answer is in the passage `own` of `documents`. */
function judge(passages, own, documents) {
  const articles = new Set(documents.map(({ article }) => article));
  const ownArticle = documents[own].article;
  const found = new Set(Array.from(passages, (index) => documents[index].article));
  const others = Array.from(articles).filter((article) => article !== ownArticle);
  const half = others.filter((article) => (article + ownArticle) % 2 === 1);
  const isAbsent = (article) => Number(!found.has(article));
  return {
    lost: Number(!passages.has(own)),
    inArticle: mean(others.map(isAbsent)),
    inHalf: Number(half.every(isAbsent)),
    passages: Array.from(passages).filter((index) => documents[index].article !== ownArticle).length,
  };
}

const folder = dataFolder();
if (folder !== undefined) {
  const sets = (await loadRetrievalSets(folder)).filter(({ name }) => name.startsWith('xquad.'));
  console.log('                         nothing is relevant               relevant passages');
  console.log('set       rule      answer there  one article  24 articles  of other articles');
  for (const { name, documents, questions } of sets) {
    const index = new MemoryIndex(model, documents);
    const matches = questions.map(({ text, relevant }) => ({
      ...index.match(text),
      own: Number(Array.from(relevant)[0]),
    }));
    for (const [rule, key] of [
      ['any term', 'found'],
      ['relevant', 'relevant'],
    ]) {
      const judged = matches.map((match) => judge(match[key], match.own, documents));
      const others = documents.length - documents.filter(({ article }) => article === 0).length;
      const share = (figure) => mean(judged.map(figure)).toFixed(3);
      console.log(
        name.padEnd(9),
        rule.padEnd(10),
        share(({ lost }) => lost).padStart(11),
        share(({ inArticle }) => inArticle).padStart(12),
        share(({ inHalf }) => inHalf).padStart(12),
        share(({ passages }) => passages / others).padStart(18),
      );
    }
  }
}
