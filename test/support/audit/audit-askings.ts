import { query } from '../stored.js';
import type { Journal } from './journal.js';
import type { Asking, Question, Regeneration, World } from './world.js';

/** A stored question with all its answers. */
interface StoredQuestion {
  readonly id: string;
  readonly text: string;
  readonly parentId: string | undefined;
  readonly answers: readonly string[];
}

/**
 * Checks that everything the server accepted is stored once, even if it was sent repeatedly, and nothing
 * else.
 */
export async function auditAskings(world: World): Promise<void> {
  const { questions, regenerations, journal } = world;
  const stored = await storedQuestions(world);
  const byText = Map.groupBy(stored, ({ text }) => text);
  const byId = new Map(stored.map((question) => [question.id, question]));
  for (const question of questions) {
    const [first, ...more] = byText.get(question.name) ?? [];
    byText.delete(question.name);
    if (more.length > 0) journal.violate(question.name, `is stored ${more.length + 1} times`);
    if (question.answers.size === 0 && !question.lost && first !== undefined) {
      journal.violate(question.name, 'was refused each time and is stored');
    }
    auditAnswers(journal, question, first);
    if (first !== undefined && question.insteadOf !== undefined) {
      auditPlace(journal, question, first, byId.get(question.insteadOf));
    }
  }
  for (const regeneration of regenerations) {
    auditAnswers(journal, regeneration, byId.get(regeneration.questionId));
  }
  for (const text of byText.keys()) journal.violate(text, 'is stored, and nobody asked it');
  auditUnreported(world, stored);
}

/** Checks that a request has at most one answer, stored after its question. */
function auditAnswers(journal: Journal, { name, answers }: Asking, stored: StoredQuestion | undefined): void {
  if (answers.size > 1) journal.violate(name, `was given several answers: ${[...answers].join(', ')}`);
  for (const answer of answers) {
    if (stored?.answers.includes(answer) !== true) {
      journal.violate(name, `was accepted as ${answer} and is gone`);
    }
  }
}

/** Checks that an edited question follows the same message as the question it replaces. */
function auditPlace(
  journal: Journal,
  { name }: Question,
  stored: StoredQuestion,
  before: StoredQuestion | undefined,
): void {
  if (before === undefined) journal.violate(name, 'was asked in the place of a question that is gone');
  else if (stored.parentId !== before.parentId) {
    journal.violate(name, `follows ${String(stored.parentId)}, and not ${String(before.parentId)}`);
  }
}

/** Checks that an answer unknown to clients belongs to a lost request, which has at most one. */
function auditUnreported(
  { questions, regenerations, journal }: World,
  stored: readonly StoredQuestion[],
): void {
  const byText = new Map(questions.map((question) => [question.name, question]));
  const byQuestion = Map.groupBy(regenerations, ({ questionId }: Regeneration) => questionId);
  for (const { id, text, answers } of stored) {
    if (answers.length === 0) journal.violate(text, 'has no answer, not even one that failed');
    const question = byText.get(text);
    const askings: readonly Asking[] = [...(question ? [question] : []), ...(byQuestion.get(id) ?? [])];
    const reported = new Set(askings.flatMap((asking) => [...asking.answers]));
    const unreported = answers.filter((answer) => !reported.has(answer));
    const unknown = askings.filter((asking) => asking.lost && asking.answers.size === 0);
    if (unreported.length > unknown.length) {
      const names = askings.map(({ name }) => name).join(', ');
      journal.violate(
        text,
        `has ${answers.length} answers of which no client received ${unreported.join(', ')}, and ${unknown.length} askings that were lost (of ${names})`,
      );
    }
  }
}

async function storedQuestions({ database }: World): Promise<StoredQuestion[]> {
  const rows = await query(
    database,
    `SELECT question.id, question.content, question.parent_id,
       array_agg(answer.id ORDER BY answer.position) FILTER (WHERE answer.role = 'assistant') AS answers
     FROM messages question LEFT JOIN messages answer ON answer.parent_id = question.id
     WHERE question.role = 'user' GROUP BY question.id`,
  );
  return rows.map(({ id, content, parent_id, answers }) => ({
    id: String(id),
    text: String(content),
    parentId: typeof parent_id === 'string' ? parent_id : undefined,
    answers: Array.isArray(answers) ? answers.map(String) : [],
  }));
}
