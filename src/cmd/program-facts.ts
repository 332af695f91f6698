/** What a command is told about the program that runs it. */
import type { BuildInfoData } from '../http/api-status.ts';

/** The facts. */
export interface ProgramFacts {
  readonly build: BuildInfoData;
  /** The module that workers run: sources in a checkout, a bundle where the package is installed. */
  readonly workerUrl: URL;
}
