// DEBUG RELOAD and DEBUG LOADAOF: the dataset through its file and back, as tests ask for it.

import type { Context } from '../../dispatch/context.js';

const REFUSED_OPTION = 'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.';
const REFUSED_WITH_LOG =
  'ERR DEBUG RELOAD with options is not offered while appendonly is yes: what the file adds ' +
  'would be in no log';
const LOADING = 'LOADING Redis is loading the dataset in memory';

/** DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE] */
export function reload(context: Context): void {
  const { args, server, reply } = context;
  let saves = true;
  let flushes = true;
  let merges = false;
  for (let index = 2; index < args.count; index++) {
    const option = args.text(index).toLowerCase();
    if (option === 'merge') merges = true;
    else if (option === 'noflush') flushes = false;
    else if (option === 'nosave') saves = false;
    else context.refuse(REFUSED_OPTION);
  }
  if (server.isLoading()) context.refuse(LOADING);
  const isPlain = saves && flushes;
  if (!isPlain && server.config.flag('appendonly')) context.refuse(REFUSED_WITH_LOG);

  const refusal = server.reload({ saves, flushes, merges });

  if (refusal !== null) context.refuse(refusal);
  reply.ok();
}

/** DEBUG LOADAOF */
export function loadLog(context: Context): void {
  if (context.server.isLoading()) context.refuse(LOADING);

  const refusal = context.server.loadLog();

  if (refusal !== null) context.refuse(refusal);
  context.reply.ok();
}
