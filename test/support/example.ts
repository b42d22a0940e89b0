// An example as `npm run` starts it: a process of its own, which prints where its page is.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePort, projectRoot } from './server.js';

const START_MS_MAX = 60_000;

export interface Example {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startExample(name: string): Promise<Example> {
  const program = join(projectRoot(), `dist/src/examples/${name}/main.js`);
  const args = [program, '--port', String(await freePort())];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await printedUrl(child);
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function printedUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const timer = setTimeout(() => reject(new Error(`no URL in time:\n${printed}`)), START_MS_MAX);
    const read = (text: string): void => {
      printed += text;
      const url = /https?:\/\/\S+/.exec(printed)?.[0];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.setEncoding('utf8').on('data', read);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.once('close', (code) => reject(new Error(`it ended with ${code}:\n${printed}`)));
  });
}
