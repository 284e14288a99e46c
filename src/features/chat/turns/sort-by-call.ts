import { InvalidRequestError } from '../../../common/errors.js';
import type { BranchPoint } from '../messages/message-tree.repository.js';
import { ConversationBusyError } from '../model/chat.errors.js';
import type { ToolResult } from '../model/turn-target.js';

/**
 * Returns the results in the order of the calls that they belong to.
 * @param field name of the request field that contains the results
 * @throws ConversationBusyError while the answer is being generated
 * @throws InvalidRequestError if the answer has no tool calls or is not complete, or unless every call has exactly
 *   one result
 */
export function sortByCall(
  results: readonly ToolResult[],
  answer: BranchPoint | null,
  field: 'messages' | 'tool_results',
): ToolResult[] {
  const refused = (message: string): InvalidRequestError =>
    new InvalidRequestError(`${field}: ${message}.`, [{ field, message }]);
  if (answer?.status === 'generating') throw new ConversationBusyError(answer.id);
  if (answer === null || answer.calls.length === 0)
    throw refused('the previous answer has no tool calls, so no results can be submitted');
  if (answer.status !== 'complete')
    throw refused(
      `the answer ${answer.id} is not complete; regenerate it and submit the results of the new answer`,
    );
  const byCall = new Map(results.map((result) => [result.toolCallId, result]));
  if (byCall.size !== results.length) throw refused('each call must have exactly one result');
  const ordered = answer.calls.map(({ id }) => {
    const result = byCall.get(id);
    if (result === undefined)
      throw refused(`the result of ${id} is missing; submit the results of all calls together`);
    byCall.delete(id);
    return result;
  });
  const [unknown] = byCall.keys();
  if (unknown !== undefined) throw refused(`the answer has no call ${unknown}`);
  return ordered;
}
