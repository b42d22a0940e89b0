// DEBUG RELOAD and DEBUG LOADAOF: the dataset through its file and back, as tests ask for it.

import type { Context } from '../../dispatch/context.js';

const REFUSED_OPTION = 'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.';
const REFUSED_WITH_LOG =
  'ERR DEBUG RELOAD with options is not offered while appendonly is yes: what the file adds ' +
  'would be in no log';
const REFUSED_LOG =
  'ERR DEBUG LOADAOF is not offered: logs are merged when the server starts. Restart it instead';

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
  const isPlain = saves && flushes;
  if (!isPlain && server.config.flag('appendonly')) context.refuse(REFUSED_WITH_LOG);

  const refusal = server.reload({ saves, flushes, merges });

  if (refusal !== null) context.refuse(refusal);
  reply.ok();
}

export function refuseToLoadLog(context: Context): never {
  context.refuse(REFUSED_LOG);
}
