import { HubError } from './errors.js';

/** The client of the hub, an optional peer dependency. */
export type Hub = typeof import('@huggingface/hub');

/** Not spelled out in the import, so that bundlers do not look for what is not installed. */
const PACKAGE = '@huggingface/hub';

/** @throws HubError that says what to install, if the package is not there */
export async function loadHub(repository: string): Promise<Hub> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ PACKAGE)) as Hub;
  } catch (cause) {
    throw new HubError(
      `${repository}: a model of the hub is fetched by the package @huggingface/hub, which is not installed: ` +
        'run npm install @huggingface/hub, or give the path of a local folder, which needs no package',
      { cause },
    );
  }
}
