// Real components: the built server as processes killed with SIGKILL, and PostgreSQL and, if available, Redis
// behind proxies that cut connections.
import { describeAudit } from '../support/audit/audit-runs.js';
import { runStorm } from '../support/audit/storm.js';

/*
 * Many clients randomly send turns, regenerate and edit them, switch branches, lose and resume their streams,
 * stop answers, send requests twice and lose the server, while processes lose their PostgreSQL and Redis
 * connections, which break or fall silent. Then the responses that clients saw are compared with the stored
 * data. A seed reproduces every decision, but not the timing of the machine.
 */

describeAudit('the stored data after a storm equals the data shown to clients', runStorm);
