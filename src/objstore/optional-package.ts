/**
 * Packages that few need, installed by those who do: clients of clouds. They are loaded when a configuration asks for
 * them, and a missing one is named.
 */
import { CodedError, errorText } from '../lib/errors.ts';

/**
 * Loads a package. The name must not be a literal in an import, or the bundle would take the package in.
 * @throws CodedError unavailable that says what to install.
 */
export async function importOptional<T>(name: string, purpose: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (thrown) {
    const message = isMissing(thrown, name)
      ? `${purpose} needs the package ${name}, which is not installed: npm install ${name}`
      : `${purpose} needs the package ${name}, which cannot be loaded: ${errorText(thrown)}`;
    throw new CodedError('unavailable', message, { cause: thrown });
  }
}

function isMissing(thrown: unknown, name: string): boolean {
  const { code } = thrown as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && errorText(thrown).includes(`'${name}'`);
}
