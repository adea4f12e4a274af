import { testReadme } from '@burin/testing/readme';

// The root has no dependencies of its own, so its README's example imports in the name of the demo, which has them all.
testReadme(new URL('../../README.md', import.meta.url), new URL('..', import.meta.url));
