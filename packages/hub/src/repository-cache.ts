import { platform } from './platform.node.js';

/** A commit, as git names it. */
export const COMMIT = /^[0-9a-f]{40}$/;

/**
 * The folder of one model in the cache, laid out as Python's huggingface_hub does, which shares it:
 *
 *     models--ORG--NAME/refs/main              the commit that `main` was
 *     models--ORG--NAME/blobs/ETAG             the bytes of a file, by SHA-256 (large files) or git's SHA-1
 *     models--ORG--NAME/snapshots/COMMIT/FILE  a link to them
 *
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export class RepositoryCache {
  readonly folder: string;
  readonly blobs: string;

  constructor(cacheFolder: string, repository: string) {
    const { path } = platform();
    this.folder = path.join(cacheFolder, ['models', ...repository.split('/')].join('--'));
    this.blobs = path.join(this.folder, 'blobs');
  }

  /** Where the files of a commit are. */
  snapshot(commit: string): string {
    return platform().path.join(this.folder, 'snapshots', commit);
  }

  /** The commit that a branch or tag was when it was last asked for; null if it never was. */
  async commitOf(revision: string): Promise<string | null> {
    if (COMMIT.test(revision)) return revision;
    const { fs, path } = platform();
    const text = await fs.readFile(path.join(this.folder, 'refs', revision), 'utf8').catch(() => '');
    return COMMIT.test(text.trim()) ? text.trim() : null;
  }

  /** Notes which commit a branch or tag is. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision)) return;
    const { fs, path } = platform();
    const ref = path.join(this.folder, 'refs', revision);
    await fs.mkdir(path.dirname(ref), { recursive: true });
    await fs.writeFile(ref, commit);
  }
}
