// INFO's sections of single figures.

import { arch, release, type as systemName, totalmem } from 'node:os';
import type { Context } from '../../dispatch/context.js';
import { REDIS_VERSION } from '../../dispatch/server-door.js';
import { Lookup } from '../../keyspace/keyspace.js';
import { Failure } from '../../log/logs.js';
import { Activity, Figure } from '../../mesh/saving.js';
import { Kind } from '../../pubsub/registry.js';
import { counterOf, Header, type Slab } from '../../slab/slab.js';
import { ClientFlag } from '../../stats/clients.js';
import { Counter } from '../../stats/server.js';
import { humanBytes, memoryFigures, percentOf, ratioOf } from './memory-figures.js';
import type { InfoField } from './report.js';

const US_PER_SECOND = 1_000_000;
const SECONDS_PER_DAY = 86_400;

export function server(context: Context): readonly InfoField[] {
  const { config, facts } = context.server;
  const uptime = Math.floor((context.nowMs - facts.startedMs) / 1000);
  return [
    ['redis_version', REDIS_VERSION],
    ['flagstone_version', facts.version],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', 'standalone'],
    ['os', `${systemName()} ${release()} ${arch()}`],
    ['arch_bits', 64],
    ['monotonic_clock', 'Node.js performance.now'],
    ['multiplexing_api', facts.multiplexing],
    ['atomicvar_api', 'ecmascript-atomics'],
    ['gcc_version', '0.0.0'],
    ['node_version', process.versions.node],
    ['process_id', facts.processId],
    ['process_supervised', 'no'],
    ['run_id', facts.runId],
    ['tcp_port', config.number('port') || config.number('tls-port')],
    ['server_time_usec', context.nowMs * 1000],
    ['uptime_in_seconds', Math.max(0, uptime)],
    ['uptime_in_days', Math.max(0, Math.floor(uptime / SECONDS_PER_DAY))],
    ['hz', config.number('hz')],
    ['configured_hz', config.number('hz')],
    ['lru_clock', Math.floor(context.nowMs / 1000) & 0xffffff],
    ['executable', facts.executable],
    ['config_file', facts.configFile],
    ['io_threads_active', facts.threadCount > 1 ? 1 : 0],
    ...listeners(context),
  ];
}

/** Where it listens, in Redis's form and order. */
function listeners({ server: { config } }: Context): readonly InfoField[] {
  const bind = config.list('bind');
  const addresses = (bind.length === 0 ? ['*', '-::*'] : bind).map((each) => `,bind=${each}`);
  const rows: InfoField[] = [];
  const add = (text: string) => rows.push([`listener${rows.length}`, text]);
  const [port, tlsPort] = [config.number('port'), config.number('tls-port')];
  if (port !== 0) add(`name=tcp${addresses.join('')},port=${port}`);
  if (config.text('unixsocket') !== '') add(`name=unix,bind=${config.text('unixsocket')}`);
  if (tlsPort !== 0) add(`name=tls${addresses.join('')},port=${tlsPort}`);
  return rows;
}

export function clients(context: Context): readonly InfoField[] {
  const { clients: directory, config } = context.server;
  const views = directory.views();
  const blocked = views.filter(({ flags }) => (flags & ClientFlag.Blocked) !== 0).length;
  const tracking = views.filter(({ flags }) => (flags & ClientFlag.Tracking) !== 0).length;
  const subscribers = views.filter(({ flags }) => (flags & ClientFlag.PubSub) !== 0).length;
  const largest = (bytesOf: (view: (typeof views)[number]) => number) =>
    views.reduce((most, view) => Math.max(most, bytesOf(view)), 0);
  return [
    ['connected_clients', views.length],
    ['cluster_connections', 0],
    ['maxclients', config.number('maxclients')],
    ['client_recent_max_input_buffer', largest((view) => view.inputBytes)],
    ['client_recent_max_output_buffer', largest((view) => view.outputBytes)],
    ['blocked_clients', blocked],
    ['tracking_clients', tracking],
    ['pubsub_clients', subscribers],
    ['clients_in_timeout_table', blocked],
    ['total_blocking_keys', context.blocking.waiters.keyCount()],
    ['total_blocking_keys_on_nokey', context.blocking.waiters.keylessKeyCount()],
  ];
}

export function memory(context: Context): readonly InfoField[] {
  const { config } = context.server;
  const slabs = context.keyspace.partitions.map((partition) => partition.slab);
  const sum = (countOf: (slab: Slab) => number) =>
    slabs.reduce((total, slab) => total + countOf(slab), 0);
  const figures = memoryFigures(context);
  const { used, peak, startup, dataset, allocated, active, resident, rss } = figures;
  const limit = config.number('maxmemory');
  return [
    ['used_memory', used],
    ['used_memory_human', humanBytes(used)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', humanBytes(rss)],
    ['used_memory_peak', peak],
    ['used_memory_peak_human', humanBytes(peak)],
    ['used_memory_peak_perc', percent(used, peak)],
    ['used_memory_overhead', figures.overhead],
    ['used_memory_startup', startup],
    ['used_memory_dataset', dataset],
    ['used_memory_dataset_perc', percent(dataset, used - startup)],
    ['allocator_allocated', allocated],
    ['allocator_active', active],
    ['allocator_resident', resident],
    ['total_system_memory', totalmem()],
    ['total_system_memory_human', humanBytes(totalmem())],
    ...scriptFigures(context),
    ['maxmemory', limit],
    ['maxmemory_human', humanBytes(limit)],
    ['maxmemory_policy', config.text('maxmemory-policy')],
    ['allocator_frag_ratio', ratio(active, allocated)],
    ['allocator_frag_bytes', active - allocated],
    ['allocator_rss_ratio', ratio(resident, active)],
    ['allocator_rss_bytes', resident - active],
    ['rss_overhead_ratio', ratio(rss, resident)],
    ['rss_overhead_bytes', rss - resident],
    ['mem_fragmentation_ratio', ratio(rss, used)],
    ['mem_fragmentation_bytes', rss - used],
    ['mem_not_counted_for_evict', 0],
    ['mem_replication_backlog', 0],
    ['mem_total_replication_buffers', 0],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', figures.clients],
    ['mem_cluster_links', 0],
    ['mem_aof_buffer', figures.logBuffers],
    ['mem_allocator', 'flagstone'],
    ['active_defrag_running', context.server.stats.defragTime(context.nowMs).percent],
    ['lazyfree_pending_objects', sum((slab) => counterOf(slab, Header.LazyPending))],
    ['lazyfreed_objects', sum((slab) => counterOf(slab, Header.LazyFreed))],
  ];
}

/** Lua's own memory is that of this thread alone: no other thread can tell its. */
function scriptFigures({ scripts }: Context): readonly InfoField[] {
  const { machineBytes, registry, functions } = scripts;
  const { libraryCount, functionCount } = functions;
  const ofFunctions = functions.machineBytes;
  const inAll = machineBytes + ofFunctions;
  const libraries = functions.store.bytes;
  const sources = registry.bytes + libraries;
  return [
    ['used_memory_lua', machineBytes],
    ['used_memory_vm_eval', machineBytes],
    ['used_memory_lua_human', humanBytes(machineBytes)],
    ['used_memory_scripts_eval', registry.bytes],
    ['number_of_cached_scripts', registry.count],
    ['number_of_functions', functionCount],
    ['number_of_libraries', libraryCount],
    ['used_memory_vm_functions', ofFunctions],
    ['used_memory_vm_total', inAll],
    ['used_memory_vm_total_human', humanBytes(inAll)],
    ['used_memory_functions', libraries],
    ['used_memory_scripts', sources],
    ['used_memory_scripts_human', humanBytes(sources)],
  ];
}

/** Whole seconds since a moment of Context.nowMs; -1 for one that never was. */
function secondsSince(context: Context, sinceMs: number): number {
  return sinceMs === 0 ? -1 : Math.max(0, Math.floor((context.nowMs - sinceMs) / 1000));
}

/** What Redis tells of its children's copied memory is here what writers copied for the walk. */
function snapshots(context: Context): readonly InfoField[] {
  const { saving, stats: counters } = context.server;
  const isWalking = saving.activity !== 0 ? 1 : 0;
  const imageBytes = isWalking * saving.figure(Figure.ImageBytes);
  const changes = counters.total(Counter.Changes) - saving.figure(Figure.ChangesSaved);
  return [
    ['current_cow_peak', imageBytes],
    ['current_cow_size', imageBytes],
    ['current_cow_size_age', 0],
    ['current_fork_perc', '0.00'],
    ['current_save_keys_processed', saving.figure(Figure.KeysWritten)],
    ['current_save_keys_total', saving.figure(Figure.KeysTotal)],
    ['rdb_changes_since_last_save', Math.max(0, changes)],
    ['rdb_bgsave_in_progress', (saving.activity & Activity.Background) !== 0 ? 1 : 0],
    ['rdb_last_save_time', saving.figure(Figure.LastSavedAt)],
    ['rdb_last_bgsave_status', saving.hasFailed ? 'err' : 'ok'],
    ['rdb_last_bgsave_time_sec', saving.figure(Figure.BackgroundTook)],
    ['rdb_current_bgsave_time_sec', secondsSince(context, saving.figure(Figure.BackgroundSince))],
    ['rdb_saves', saving.figure(Figure.Saves)],
    ['rdb_last_cow_size', saving.figure(Figure.BackgroundImageBytes)],
    ['snapshot_writer_waits', saving.waitCount],
    ['snapshot_writer_wait_ms', Math.round(saving.waitedMs)],
  ];
}

function rewrites(context: Context): readonly InfoField[] {
  const { saving } = context.server;
  // Looked at once: what begins in between must not be missing in both fields.
  const isRewriting = (saving.activity & Activity.Rewrite) !== 0;
  const isDue = saving.isScheduled(Activity.Rewrite) || (!isRewriting && isBaseMissing(context));
  return [
    ['aof_rewrite_in_progress', isRewriting ? 1 : 0],
    ['aof_rewrite_scheduled', isDue ? 1 : 0],
    ['aof_last_rewrite_time_sec', saving.figure(Figure.RewriteTook)],
    ['aof_current_rewrite_time_sec', secondsSince(context, saving.figure(Figure.RewriteSince))],
    ['aof_last_bgrewrite_status', saving.rewriteHasFailed ? 'err' : 'ok'],
    ['aof_rewrites', saving.figure(Figure.Rewrites)],
    ['aof_rewrites_consecutive_failures', saving.figure(Figure.RewriteFailures)],
  ];
}

/** The log was switched on, and does not hold the data yet: its base comes as soon as it can. */
function isBaseMissing({ server }: Context): boolean {
  return server.config.flag('appendonly') && !server.saving.hasWholeLog && !server.isLoading();
}

export function persistence(context: Context): readonly InfoField[] {
  const { stats: counters } = context.server;
  return [
    ['loading', context.server.isLoading() ? 1 : 0],
    ['async_loading', 0],
    ...snapshots(context),
    ['rdb_last_load_keys_expired', counters.loadedKeys.expired],
    ['rdb_last_load_keys_loaded', counters.loadedKeys.loaded],
    ['aof_enabled', context.server.config.flag('appendonly') ? 1 : 0],
    ...rewrites(context),
    ['aof_last_write_status', context.server.logs.failure === Failure.None ? 'ok' : 'err'],
    ['aof_last_cow_size', context.server.saving.figure(Figure.RewriteImageBytes)],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ...(context.server.config.flag('appendonly') ? logs(context) : []),
    ...(context.server.isLoading() ? loading(context) : []),
  ];
}

function logs(context: Context): readonly InfoField[] {
  const { logs: shared, saving } = context.server;
  const { currentBytes, baseBytes } = shared.sizes;
  return [
    ['aof_current_size', currentBytes],
    ['aof_base_size', baseBytes],
    ['aof_pending_rewrite', saving.isScheduled(Activity.Rewrite) ? 1 : 0],
    ['aof_buffer_length', shared.pendingBytes()],
    // The sync thread has no queue.
    ['aof_pending_bio_fsync', 0],
    ['aof_delayed_fsync', shared.delayedSyncs],
  ];
}

/** How far loading is, as Redis estimates it. */
function loading(context: Context): readonly InfoField[] {
  const { stats: counters } = context.server;
  const { startMs, totalBytes, loadedBytes } = counters.loading;
  // Clients may be here before the files are looked at.
  const startSecond = Math.floor((startMs || context.nowMs) / 1000);
  const elapsed = Math.floor(context.nowMs / 1000) - startSecond;
  const share = totalBytes === 0 ? 0 : loadedBytes / totalBytes;
  const eta = (elapsed * (totalBytes - loadedBytes)) / (loadedBytes + 1);
  return [
    ['loading_start_time', startSecond],
    ['loading_total_bytes', totalBytes],
    ['loading_rdb_used_mem', 0],
    ['loading_loaded_bytes', loadedBytes],
    ['loading_loaded_perc', (share * 100).toFixed(2)],
    // In the first second nothing is known: Redis says one.
    ['loading_eta_seconds', elapsed === 0 ? 1 : Math.floor(eta)],
  ];
}

/** Of all commands together. */
function commandTotals({ server }: Context): { calls: number; commandUs: number } {
  let calls = 0;
  let commandUs = 0;
  for (const command of server.table.all) {
    const totals = server.commandStats.totals(command.id);
    calls += totals.calls;
    commandUs += totals.microseconds;
  }
  return { calls, commandUs };
}

export function stats(context: Context): readonly InfoField[] {
  const { stats: counters, pubsub } = context.server;
  const { registry } = pubsub;
  const { calls, commandUs } = commandTotals(context);
  return [
    ['total_connections_received', counters.total(Counter.ConnectionsReceived)],
    ['total_commands_processed', calls],
    ['instantaneous_ops_per_sec', Math.round(counters.operationsPerSecond)],
    ['total_net_input_bytes', counters.total(Counter.InputBytes)],
    ['total_net_output_bytes', counters.total(Counter.OutputBytes)],
    ['total_net_repl_input_bytes', 0],
    ['total_net_repl_output_bytes', 0],
    ['instantaneous_input_kbps', (counters.inputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (counters.outputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', counters.total(Counter.ConnectionsRejected)],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', counters.lookup(Lookup.Expired)],
    ['expired_stale_perc', '0.00'],
    ['expired_time_cap_reached_count', counters.total(Counter.ExpireTimeCapped)],
    ['expire_cycle_cpu_milliseconds', Math.round(counters.total(Counter.ActiveExpireMs))],
    ['evicted_keys', counters.total(Counter.Evicted)],
    ['evicted_clients', counters.total(Counter.EvictedClients)],
    ['total_eviction_exceeded_time', counters.memoryExceeded(context.nowMs).totalMs],
    ['current_eviction_exceeded_time', counters.memoryExceeded(context.nowMs).currentMs],
    ['keyspace_hits', counters.lookup(Lookup.Hits)],
    ['keyspace_misses', counters.lookup(Lookup.Misses)],
    ['pubsub_channels', registry.nameCount(Kind.Channel)],
    ['pubsub_patterns', registry.nameCount(Kind.Pattern)],
    ['pubsubshard_channels', registry.nameCount(Kind.Shard)],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', counters.total(Counter.MigrateSockets)],
    ['slave_expires_tracked_keys', 0],
    ...defragFigures(context),
    ['tracking_total_keys', context.server.tracking.keys.keyCount],
    ['tracking_total_items', context.server.tracking.keys.itemCount],
    ['tracking_total_prefixes', context.server.tracking.prefixes.nameCount(Kind.Pattern)],
    ['unexpected_error_replies', counters.total(Counter.UnexpectedErrors)],
    ['total_error_replies', counters.total(Counter.ErrorReplies)],
    ['dump_payload_sanitizations', 0],
    ['total_reads_processed', counters.total(Counter.Reads)],
    ['total_writes_processed', counters.total(Counter.Writes)],
    ['io_threaded_reads_processed', counters.total(Counter.Reads)],
    ['io_threaded_writes_processed', counters.total(Counter.Writes)],
    ['reply_buffer_shrinks', 0],
    ['reply_buffer_expands', 0],
    ['eventloop_cycles', counters.total(Counter.EventLoopTurns)],
    ['eventloop_duration_sum', Math.round(counters.total(Counter.EventLoopUs))],
    ['eventloop_duration_cmd_sum', Math.round(commandUs)],
    ['instantaneous_eventloop_cycles_per_sec', Math.round(counters.cyclesPerSecond)],
    ['instantaneous_eventloop_duration_usec', Math.round(counters.cycleUs)],
    ['acl_access_denied_auth', counters.total(Counter.AclDenied)],
    ['acl_access_denied_cmd', counters.total(Counter.AclCommandDenied)],
    ['acl_access_denied_key', counters.total(Counter.AclKeyDenied)],
    ['acl_access_denied_channel', counters.total(Counter.AclChannelDenied)],
    ['client_query_buffer_limit_disconnections', counters.total(Counter.InputLimitDisconnections)],
    [
      'client_output_buffer_limit_disconnections',
      counters.total(Counter.OutputLimitDisconnections),
    ],
  ];
}

/** Times in milliseconds, as Redis has them. */
function defragFigures({ server, nowMs }: Context): readonly InfoField[] {
  const { stats: counters } = server;
  const { totalMs, currentMs } = counters.defragTime(nowMs);
  return [
    ['active_defrag_hits', counters.total(Counter.DefragHits)],
    ['active_defrag_misses', counters.total(Counter.DefragMisses)],
    ['active_defrag_key_hits', counters.total(Counter.DefragKeyHits)],
    ['active_defrag_key_misses', counters.total(Counter.DefragKeyMisses)],
    ['total_active_defrag_time', Math.round(totalMs)],
    ['current_active_defrag_time', Math.round(currentMs)],
  ];
}

export function replication(context: Context): readonly InfoField[] {
  const { config, stats: counters } = context.server;
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', counters.replicationId || '0'.repeat(40)],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', config.number('repl-backlog-size')],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

export function cpu({ server }: Context): readonly InfoField[] {
  const { user, system } = process.cpuUsage();
  const main = server.mainThreadTime();
  const seconds = (us: number) => (us / US_PER_SECOND).toFixed(6);
  return [
    ['used_cpu_sys', seconds(system)],
    ['used_cpu_user', seconds(user)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
    ['used_cpu_sys_main_thread', seconds(main.systemUs)],
    ['used_cpu_user_main_thread', seconds(main.userUs)],
  ];
}

export function modules(): readonly InfoField[] {
  return [];
}

export function cluster(): readonly InfoField[] {
  return [['cluster_enabled', 0]];
}

function percent(part: number, whole: number): string {
  return `${percentOf(part, whole).toFixed(2)}%`;
}

function ratio(part: number, whole: number): string {
  return ratioOf(part, whole).toFixed(2);
}
