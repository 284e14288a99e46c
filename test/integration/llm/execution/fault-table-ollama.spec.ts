import { OLLAMA_CHAT, testFaultsOver } from '../../../support/fault-table.js';

testFaultsOver(OLLAMA_CHAT);
