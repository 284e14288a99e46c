import { COMPLETIONS, testFaultsOver } from '../../../support/fault-table.js';

testFaultsOver(COMPLETIONS);
