// The process: its log, its pace, its measurements and its end.

import { oomScores, percentiles } from '../forms.js';
import { INT32_MAX, INT64_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import { isShutdown, isTitleTemplate } from './checks.js';
import {
  choice,
  choices,
  flag,
  inert,
  integer,
  refused,
  special,
  text,
  textOrEmpty,
} from './rows.js';

const noDaemon = refused(
  'Flagstone does not go to the background by itself: use systemd, or & in a shell',
);
const noSupervisor = inert('it tells no supervisor that it is ready');
const noSyslog = refused(
  'Flagstone does not speak to syslog: leave logfile empty and let systemd take its output',
);
const noSyslogDetail = inert('it does not speak to syslog');
const noTitle = inert('it leaves the title of its process alone');
const noReplicasToWaitFor = inert('it has no replicas to wait for');
const ownReport = inert('it writes its own report when it must stop');
const ownWatchdog = inert("it watches its locks instead: see 'watchdog-lock-ms'");
const systemsOwn = inert('it leaves this to the system: use systemd or sysctl');
const noAffinity = inert('it leaves placing threads to the system: use taskset');
const byteOrder = inert('it always compares bytes');

const ownPace = inert('each worker tends its partitions at its own pace');
const noSuchCheck = inert('it makes no check that could be ignored');

export const PROCESS_PARAMETERS: readonly Row[] = [
  integer('hz', { default: 10, min: 0, max: INT32_MAX, clamp: [1, 500], support: ownPace }),
  flag('dynamic-hz', { default: true, support: ownPace }),
  choice('loglevel', {
    values: ['debug', 'verbose', 'notice', 'warning', 'nothing'],
    default: 'notice',
  }),
  textOrEmpty('logfile', { default: '', isMutable: false }),
  text('pidfile', { isMutable: false }),
  integer('slowlog-log-slower-than', { default: 10_000, min: -1, max: INT64_MAX }),
  integer('slowlog-max-len', { default: 128, min: 0, max: INT64_MAX }),
  flag('latency-tracking', { default: true }),
  special('latency-tracking-info-percentiles', { form: percentiles, isMulti: true }),
  choices('shutdown-on-sigint', {
    values: ['default', 'save', 'nosave', 'now', 'force'],
    default: 'default',
    check: isShutdown,
  }),
  choices('shutdown-on-sigterm', {
    values: ['default', 'save', 'nosave', 'now', 'force'],
    default: 'default',
    check: isShutdown,
  }),
  flag('always-show-logo', { default: false, isMutable: false }),
  textOrEmpty('ignore-warnings', { default: '', support: noSuchCheck }),
  flag('daemonize', { default: false, isMutable: false, support: noDaemon }),
  choice('supervised', {
    values: ['upstart', 'systemd', 'auto', 'no'],
    default: 'no',
    isMutable: false,
    support: noSupervisor,
  }),
  flag('syslog-enabled', { default: false, isMutable: false, support: noSyslog }),
  textOrEmpty('syslog-ident', { default: 'redis', isMutable: false, support: noSyslogDetail }),
  choice('syslog-facility', {
    values: [
      'user',
      'local0',
      'local1',
      'local2',
      'local3',
      'local4',
      'local5',
      'local6',
      'local7',
    ],
    default: 'local0',
    isMutable: false,
    support: noSyslogDetail,
  }),
  flag('set-proc-title', { default: true, isMutable: false, support: noTitle }),
  textOrEmpty('proc-title-template', {
    default: '{title} {listen-addr} {server-mode}',
    check: isTitleTemplate,
    support: noTitle,
  }),
  integer('latency-monitor-threshold', {
    default: 0,
    min: 0,
    max: INT64_MAX,
  }),
  integer('busy-reply-threshold', {
    alias: 'lua-time-limit',
    default: 5000,
    min: 0,
    max: INT64_MAX,
  }),
  integer('shutdown-timeout', {
    default: 10,
    min: 0,
    max: INT32_MAX,
    support: noReplicasToWaitFor,
  }),
  flag('crash-log-enabled', { default: true, support: ownReport }),
  flag('crash-memcheck-enabled', { default: true, support: ownReport }),
  flag('use-exit-on-panic', { default: false, isHidden: true, support: ownReport }),
  integer('watchdog-period', {
    default: 0,
    min: 0,
    max: INT32_MAX,
    isHidden: true,
    support: ownWatchdog,
  }),
  flag('disable-thp', { default: true, isMutable: false, support: systemsOwn }),
  choice('oom-score-adj', {
    values: ['no', 'yes', 'relative', 'absolute'],
    default: 'no',
    synonyms: { relative: 'yes' },
    support: systemsOwn,
  }),
  special('oom-score-adj-values', { form: oomScores, isMulti: true, support: systemsOwn }),
  text('server_cpulist', { isMutable: false, support: noAffinity }),
  text('bio_cpulist', { isMutable: false, support: noAffinity }),
  textOrEmpty('locale-collate', { default: '', support: byteOrder }),
];
