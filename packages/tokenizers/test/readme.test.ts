import { testReadme } from '@burin/testing/readme';

testReadme(new URL('../README.md', import.meta.url));
