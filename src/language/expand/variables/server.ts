/** Variables about this server and its configuration. */
import { loadavg } from 'node:os'
import { dirname } from 'node:path'
import type { VariableRow } from '../rows.ts'
import { stored, trusted } from './kinds.ts'

export const serverVariables: readonly VariableRow[] = [
  trusted('bounce_return_size_limit', 'Most bytes of a message that a bounce quotes.', ({ context }) =>
    Number(context.settings.bounce_return_size_limit),
  ),
  trusted('compile_date', 'When Postern was made; empty: it is not compiled to a machine.', () => ''),
  trusted('compile_number', 'Always 1.', () => 1),
  trusted('config_dir', 'Folder of the configuration file.', ({ context }) =>
    dirname(context.server.configuration.file),
  ),
  trusted('config_file', 'The configuration file.', ({ context }) => context.server.configuration.file),
  trusted('exim_gid', 'Number of the run-time group.', ({ context }) => context.server.eximGid),
  trusted('exim_path', 'The program.', ({ context }) => context.server.eximPath),
  trusted('exim_uid', 'Number of the run-time user.', ({ context }) => context.server.eximUid),
  trusted('exim_version', 'The Exim whose language this is.', ({ context }) => context.server.eximVersion),
  trusted(
    'initial_cwd',
    'The folder in which the program was started.',
    ({ context }) => context.server.initialCwd ?? '',
  ),
  trusted('load_average', 'The load of the machine times 1000.', () =>
    Math.round((loadavg()[0] ?? 0) * 1000),
  ),
  stored('localhost_number', 'The number of this host among those that share one queue.'),
  trusted('pid', 'Number of this process.', ({ context }) => context.server.pid),
  trusted('primary_hostname', 'The name of this host.', ({ context }) => context.server.primaryHostname),
  trusted(
    'qualify_domain',
    'The domain that completes senders.',
    ({ context }) => context.server.qualifyDomain,
  ),
  trusted(
    'qualify_recipient',
    'The domain that completes recipients.',
    ({ context }) => context.server.qualifyRecipient,
  ),
  trusted(
    'queue_name',
    'The queue the message is in; empty: the main one.',
    ({ context }) => context.message?.controls.queueName ?? context.variables.get('queue_name') ?? '',
  ),
  trusted('return_size_limit', 'Older name of $bounce_return_size_limit.', ({ context }) =>
    Number(context.settings.bounce_return_size_limit),
  ),
  trusted(
    'smtp_active_hostname',
    'The name this server gives itself in the session.',
    ({ context }) => context.connection?.activeHostname ?? context.server.primaryHostname,
  ),
  trusted('spool_directory', 'Where messages wait.', ({ context }) => context.server.spoolDirectory),
  trusted('version_number', 'The Exim whose language this is.', ({ context }) => context.server.eximVersion),
]
