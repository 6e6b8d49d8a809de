/** Options that every transport has. Source: Exim manual, "Generic options for transports". */
import type { OptionTable, Settings } from './table.ts'

export const transportOptions = {
  body_only: { type: 'boolean', default: false, tier: 'B', doc: '' },
  current_directory: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  debug_print: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  delivery_date_add: { type: 'boolean', default: false, tier: 'A', doc: '' },
  disable_logging: { type: 'boolean', default: false, tier: 'B', doc: '' },
  driver: { type: 'string', default: undefined, tier: 'A', doc: '' },
  envelope_to_add: { type: 'boolean', default: false, tier: 'A', doc: '' },
  event_action: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  group: { type: 'group', default: undefined, tier: 'A', doc: '' },
  headers_add: { type: 'expandMany', default: undefined, tier: 'A', doc: '' },
  headers_only: { type: 'boolean', default: false, tier: 'B', doc: '' },
  headers_remove: { type: 'expandMany', default: undefined, tier: 'A', secures: true, doc: '' },
  headers_rewrite: { type: 'rewrite', default: undefined, tier: 'A', doc: '' },
  home_directory: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  initgroups: { type: 'boolean', default: false, tier: 'A', doc: '' },
  max_parallel: { type: 'expandInteger', default: undefined, tier: 'B', doc: '' },
  message_size_limit: { type: 'expand', default: '0', tier: 'A', secures: true, doc: '' },
  rcpt_include_affixes: { type: 'boolean', default: false, tier: 'B', doc: '' },
  retry_use_local_part: { type: 'boolean', default: undefined, tier: 'A', doc: '' },
  return_path: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  return_path_add: { type: 'boolean', default: false, tier: 'A', doc: '' },
  shadow_condition: { type: 'expand', default: undefined, tier: 'B', doc: '' },
  shadow_transport: { type: 'string', default: undefined, tier: 'B', doc: '' },
  transport_filter: { type: 'expand', default: undefined, tier: 'B', secures: true, doc: '' },
  transport_filter_timeout: { type: 'time', default: 300, tier: 'B', doc: '' },
  user: { type: 'user', default: undefined, tier: 'A', doc: '' },
  tpda_delivery_action: { type: 'expand', default: undefined, tier: 'A', doc: '' },
} as const satisfies OptionTable

export type TransportSettings = Settings<typeof transportOptions>
