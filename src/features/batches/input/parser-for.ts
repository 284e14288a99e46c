import { toBatchTask } from '../model/batch-task.js';
import type { ParseLine } from '../model/input-line.js';
import type { ClaimedStage } from '../model/batch-stage.js';
import { parseOpenAiLine } from './openai-line.js';
import { parseParleyLine } from './parley-line.js';
import { isFields } from './shared-fields.js';

/** Returns the function that reads the lines of a batch's file. */
export function parserFor({ api, endpoint, defaults }: ClaimedStage): ParseLine {
  if (api === 'openai') return parseOpenAiLine(endpoint);
  return parseParleyLine(isFields(defaults) ? defaults : {}, toBatchTask(endpoint));
}
