/** A Redis Cluster of two masters, each with half of the slots. */
import { createClient } from 'redis'
import { BrokerServer } from './broker-server.js'

export async function startRedisCluster(): Promise<readonly BrokerServer[]> {
  const make = () => BrokerServer.redis('--cluster-enabled', 'yes', '--cluster-node-timeout', '2000')
  const servers = [await make(), await make()]
  const admins = await Promise.all(servers.map(({ url }) => createClient({ url }).connect()))
  const [first, second] = admins
  await first?.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '8191'])
  await second?.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '8192', '16383'])
  await second?.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(servers[0]?.port)])
  for (const admin of admins) admin.destroy()
  return servers
}

/** Waits until both see each other. */
export async function redisClusterIsWhole(servers: readonly BrokerServer[]): Promise<void> {
  for (const { url } of servers) {
    const admin = await createClient({ url }).connect()
    while (!(await admin.sendCommand<string>(['CLUSTER', 'INFO'])).includes('cluster_state:ok'));
    const seen = async () => (await admin.sendCommand<string>(['CLUSTER', 'NODES'])).split('\n')
    while (
      (await seen()).filter((line) => !line.includes('fail') && / connected \d+-\d+$/.test(line)).length < 2
    );
    admin.destroy()
  }
}
