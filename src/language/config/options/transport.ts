/** Options that every transport has. Source: Exim manual, "Generic options for transports". */
import type { OptionTable, Settings } from './table.ts'

export const transportOptions = {
  body_only: {
    type: 'boolean',
    default: false,
    tier: 'B',
    doc: 'Whether only the body of a message is delivered.',
  },
  current_directory: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'Working directory of the delivery.',
  },
  debug_print: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'Text for the debugging output when the transport is run.',
  },
  delivery_date_add: {
    type: 'boolean',
    default: false,
    tier: 'A',
    doc: 'Whether a Delivery-date header is added.',
  },
  disable_logging: {
    type: 'boolean',
    default: false,
    tier: 'B',
    doc: 'Whether deliveries by this transport go unlogged.',
  },
  driver: {
    type: 'string',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Which kind of transport this is.',
  },
  envelope_to_add: {
    type: 'boolean',
    default: false,
    tier: 'A',
    doc: 'Whether an Envelope-to header with the recipients is added.',
  },
  event_action: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    aliases: { tpda_event_action: 'tpda_event_action is the name of 2014; today it is event_action' },
    doc: 'String expanded at each event of a delivery; its result may change what happens.',
  },
  group: { type: 'group', default: undefined, tier: 'A', doc: 'Group as which the delivery runs.' },
  headers_add: {
    type: 'expandMany',
    default: undefined,
    tier: 'A',
    doc: 'Header lines added to the message.',
  },
  headers_only: {
    type: 'boolean',
    default: false,
    tier: 'B',
    doc: 'Whether only the headers of a message are delivered.',
  },
  headers_remove: {
    type: 'expandMany',
    default: undefined,
    tier: 'A',
    secures: true,
    doc: 'Names of header lines left out.',
  },
  headers_rewrite: {
    type: 'rewrite',
    default: undefined,
    tier: 'A',
    doc: 'Rewriting rules for the addresses in headers, for this delivery only.',
  },
  home_directory: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'What $home is during the delivery when the router does not say.',
  },
  initgroups: {
    type: 'boolean',
    default: false,
    tier: 'A',
    doc: 'Whether the delivery runs with all groups of its user.',
  },
  max_parallel: {
    type: 'expandInteger',
    default: undefined,
    tier: 'B',
    doc: 'Most deliveries by this transport at once.',
  },
  message_size_limit: {
    type: 'expand',
    default: '0',
    tier: 'A',
    secures: true,
    doc: 'Largest message that the transport delivers; a larger one bounces; zero means any.',
  },
  rcpt_include_affixes: {
    type: 'boolean',
    default: false,
    tier: 'B',
    doc: 'Whether the local part is delivered with the prefix and suffix that a router took off.',
  },
  retry_use_local_part: {
    type: 'boolean',
    default: undefined,
    tier: 'A',
    doc: 'Whether a delay found here is remembered for the whole address instead of the domain.',
  },
  return_path: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'Sender under which the message is delivered.',
  },
  return_path_add: {
    type: 'boolean',
    default: false,
    tier: 'A',
    doc: 'Whether a Return-path header with the sender is added.',
  },
  shadow_condition: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    doc: 'When the shadow transport is run: true after this string expanded.',
  },
  shadow_transport: {
    type: 'string',
    default: undefined,
    tier: 'B',
    doc: 'Transport that gets the message a second time after a successful delivery.',
  },
  transport_filter: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    secures: true,
    doc: 'Command through which the message goes on its way out.',
  },
  transport_filter_timeout: {
    type: 'time',
    default: 300,
    tier: 'B',
    doc: 'Longest wait for the filter to give more.',
  },
  user: { type: 'user', default: undefined, tier: 'A', doc: 'User as whom the delivery runs.' },
  tpda_delivery_action: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'The name of 2014 for what event_action does after a delivery.',
  },
} as const satisfies OptionTable

export type TransportSettings = Settings<typeof transportOptions>
