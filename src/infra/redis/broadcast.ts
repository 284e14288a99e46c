import { Injectable, Logger } from '@nestjs/common';
import { RedisConnection } from './redis-connection.js';

type Listener = (message: string) => void;

/** Keeps our channels apart from what else a Redis carries. */
const PREFIX = 'parley:';

/**
 * Tells all processes something: this one at once, the others through Redis where there is one. A message may be lost
 * while Redis is away, and comes to this process a second time, so it must only bring forward what happens anyway.
 */
@Injectable()
export class Broadcast {
  private readonly logger = new Logger(Broadcast.name);
  private readonly listeners = new Map<string, Set<Listener>>();
  private subscriber: ReturnType<RedisConnection['subscriber']>;

  /** Redis has one set of channels for all its databases, and ioredis prefixes keys only. */
  private readonly prefix: string;

  constructor(private readonly redis: RedisConnection) {
    this.prefix = redis.keyPrefix + PREFIX;
  }

  /**
   * Calls the listener with each message on the channel. It must not throw.
   * @returns ends it
   */
  listen(channel: string, listener: Listener): () => void {
    const known = this.listeners.get(channel);
    if (known !== undefined) known.add(listener);
    else {
      this.listeners.set(channel, new Set([listener]));
      this.subscribe(channel);
    }
    return () => {
      const left = this.listeners.get(channel);
      left?.delete(listener);
      if (left?.size !== 0) return;
      this.listeners.delete(channel);
      this.send('unsubscribe', channel);
    };
  }

  /** Resolves when this process was told and the others' message is on its way. Never rejects. */
  async publish(channel: string, message: string): Promise<void> {
    this.deliver(channel, message);
    try {
      await this.redis.client?.publish(this.prefix + channel, message);
    } catch (error) {
      this.logger.warn(
        { err: error, channel },
        'could not notify other processes; they will notice on their own',
      );
    }
  }

  private deliver(channel: string, message: string): void {
    for (const listener of this.listeners.get(channel) ?? []) listener(message);
  }

  /** The connection is made when somebody first listens. */
  private subscribe(channel: string): void {
    this.subscriber ??= this.connect();
    this.send('subscribe', channel);
  }

  /** Subscribed again with each connection, since the first may come after a process that starts without Redis. */
  private connect(): ReturnType<RedisConnection['subscriber']> {
    const subscriber = this.redis.subscriber();
    subscriber?.on('message', (name: string, message: string) => {
      this.deliver(name.slice(this.prefix.length), message);
    });
    subscriber?.on('ready', () => {
      for (const channel of this.listeners.keys()) this.send('subscribe', channel);
    });
    return subscriber;
  }

  private send(command: 'subscribe' | 'unsubscribe', channel: string): void {
    if (this.subscriber?.status !== 'ready') return;
    this.subscriber[command](this.prefix + channel).catch((error: unknown) => {
      this.logger.warn({ err: error, channel }, 'could not subscribe to a channel');
    });
  }
}
