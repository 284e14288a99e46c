/*
 * What Linux knows about processes, from /proc. Elsewhere there are no figures.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Ticks of a second in /proc, the same on all of today's machines. */
const TICKS = 100;

/** Places in /proc/<pid>/stat after the name: the parent, and the CPU time of the process and of children it waited for. */
const FIELD = { parent: 1, times: [11, 12, 13, 14] };

/** Returns a file of /proc; an empty text if the process has ended. */
export function readProc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}

/** Returns the resident memory of a process in megabytes, now (`VmRSS`) or at most so far (`VmHWM`). */
export function residentMb(pid, field = 'VmRSS') {
  return (
    Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readProc(`${pid}/status`))?.[1] ?? Number.NaN) / 1024
  );
}

/** Makes `VmHWM` begin anew. */
export function resetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Returns the id of the parent of a process. */
export function parentOf(pid) {
  return Number(statOf(pid)[FIELD.parent]);
}

/** Returns the ids of all processes. */
export function processIds() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

/** Returns the CPU time of a process, of its children and of those that have ended, in milliseconds. */
export function cpuMsWithChildren(pid) {
  const all = [pid, ...processIds().filter((id) => parentOf(id) === Number(pid))];
  // A child that has been waited for is in the times of its parent; one that runs is not.
  const ticks = all.flatMap((id) => statOf(id)).length === 0 ? Number.NaN : all.reduce(sumTicks, 0);
  return (ticks / TICKS) * 1000;
}

function sumTicks(sum, pid) {
  const stat = statOf(pid);
  return FIELD.times.reduce((total, place) => total + Number(stat[place] ?? 0), sum);
}

/** Returns the fields of /proc/<pid>/stat after the name, which may have spaces. */
function statOf(pid) {
  const stat = readProc(`${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
