/** The memory of a process, as Linux tells it. */
import { readFileSync, writeFileSync } from 'node:fs';

/** From here on VmHWM is the largest memory since now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Resident memory now (VmRSS) or at its largest (VmHWM), in MiB. */
export function memoryMib(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${field}:`));
  return Number.parseInt(line?.slice(field.length + 1) ?? '', 10) / 1024;
}
