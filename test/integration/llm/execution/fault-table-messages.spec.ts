import { MESSAGES, testFaultsOver } from '../../../support/fault-table.js';

testFaultsOver(MESSAGES);
