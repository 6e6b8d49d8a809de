/** Names and addresses from the DNS: what other rooms use of this one. */
export { createHostNames, type HostNamesOptions } from './host-names.ts'
export { reverseName } from './names.ts'
export { createResolver, type Resolver, type ResolverOptions, type ResolverSettings } from './resolver.ts'
export { type NameServer, parseServers } from './servers.ts'
