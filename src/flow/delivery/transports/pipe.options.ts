/** Options of the pipe transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const pipeOptions = {
  allow_commands: { type: 'expandList', default: undefined, tier: 'B', secures: true, doc: '' },
  batch_id: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  batch_max: { type: 'integer', default: 1, tier: 'B', doc: '' },
  check_string: { type: 'string', default: undefined, tier: 'A', doc: '' },
  command: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  environment: { type: 'expandList', default: undefined, tier: 'A', doc: '' },
  escape_string: { type: 'string', default: undefined, tier: 'A', doc: '' },
  force_command: { type: 'boolean', default: false, tier: 'C', doc: '' },
  freeze_exec_fail: { type: 'boolean', default: false, tier: 'B', doc: '' },
  freeze_signal: { type: 'boolean', default: false, tier: 'C', doc: '' },
  ignore_status: { type: 'boolean', default: false, tier: 'A', doc: '' },
  log_defer_output: { type: 'boolean', default: false, tier: 'B', doc: '' },
  log_fail_output: { type: 'boolean', default: false, tier: 'B', doc: '' },
  log_output: { type: 'boolean', default: false, tier: 'A', doc: '' },
  max_output: { type: 'integer', size: 'bytes', default: 20480, tier: 'B', doc: '' },
  message_prefix: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  message_suffix: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  path: { type: 'expand', default: '/bin:/usr/bin', tier: 'A', doc: '' },
  permit_coredump: { type: 'boolean', default: false, tier: 'C', doc: '' },
  pipe_as_creator: { type: 'boolean', default: false, tier: 'C', doc: '' },
  restrict_to_path: { type: 'boolean', default: false, tier: 'B', secures: true, doc: '' },
  return_fail_output: { type: 'boolean', default: false, tier: 'A', doc: '' },
  return_output: { type: 'boolean', default: false, tier: 'A', doc: '' },
  temp_errors: { type: 'stringList', default: ['75', '73'], tier: 'A', doc: '' },
  timeout: { type: 'time', default: 3600, tier: 'A', doc: '' },
  timeout_defer: { type: 'boolean', default: false, tier: 'A', doc: '' },
  umask: { type: 'octal', default: 0o22, tier: 'A', doc: '' },
  use_bsmtp: { type: 'boolean', default: false, tier: 'B', doc: '' },
  use_classresources: { type: 'boolean', default: false, tier: 'C', doc: '' },
  use_crlf: { type: 'boolean', default: false, tier: 'C', doc: '' },
  use_shell: { type: 'boolean', default: false, tier: 'A', doc: '' },
} as const satisfies OptionTable

export type PipeSettings = Settings<typeof pipeOptions>
