import { Injectable, Logger } from '@nestjs/common';
import type { ChainableCommander } from 'ioredis';
import { RedisConnection } from './redis-connection.js';

type Listener = (message: string) => void;

/** Separates our channels from others in the same Redis. */
const PREFIX = 'parley:';

/**
 * Notifies all processes: this one immediately unless the message is queued, the others through Redis if configured. A
 * message may be lost while Redis is unavailable, and this process receives it a second time. So a message may only speed
 * up what happens anyway.
 */
@Injectable()
export class Broadcast {
  private readonly logger = new Logger(Broadcast.name);
  private readonly listeners = new Map<string, Set<Listener>>();
  private subscriber: ReturnType<RedisConnection['subscriber']>;

  /** Needed because Redis shares channels between all its databases, and ioredis prefixes keys only. */
  private readonly prefix: string;

  constructor(private readonly redis: RedisConnection) {
    this.prefix = redis.keyPrefix + PREFIX;
  }

  /**
   * Calls the listener with each message on the channel. The listener must not throw.
   * @returns a function that removes the listener
   */
  subscribe(channel: string, listener: Listener): () => void {
    const known = this.listeners.get(channel);
    if (known !== undefined) known.add(listener);
    else {
      this.listeners.set(channel, new Set([listener]));
      this.openChannel(channel);
    }
    return () => {
      const left = this.listeners.get(channel);
      left?.delete(listener);
      if (left?.size !== 0) return;
      this.listeners.delete(channel);
      this.send('unsubscribe', channel);
    };
  }

  /** Resolves after this process is notified and the message to the others is sent. Never rejects. */
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

  /**
   * Adds a message to commands that are sent together. It reaches the processes that have subscribed, this one among
   * them, only while Redis is available.
   */
  queueMessage(pipeline: ChainableCommander, channel: string, message: string): void {
    pipeline.publish(this.prefix + channel, message);
  }

  private deliver(channel: string, message: string): void {
    for (const listener of this.listeners.get(channel) ?? []) listener(message);
  }

  /** Subscribes to a channel. The first call opens the connection. */
  private openChannel(channel: string): void {
    this.subscriber ??= this.connect();
    this.send('subscribe', channel);
  }

  /**
   * Connects, and subscribes again on each reconnection: the first connection may succeed long after a start without
   * Redis.
   */
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
      const line =
        command === 'subscribe'
          ? 'could not subscribe to a channel; will try again when Redis reconnects'
          : 'could not unsubscribe from a channel; ignoring its messages';
      this.logger.warn({ err: error, channel }, line);
    });
  }
}
