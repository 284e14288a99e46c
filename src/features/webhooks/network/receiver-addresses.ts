import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { webhooksConfig } from '../../../config/index.js';
import { AddressPolicy } from './address-policy.js';
import { AddressResolver } from './address-resolver.js';

/** The addresses of a receiver, or the reason why nothing is sent to it. */
export type CheckedAddresses =
  | { readonly addresses: readonly LookupAddress[]; readonly error?: undefined }
  | { readonly addresses?: undefined; readonly error: 'name_not_resolved' | 'address_refused' };

/** Finds the addresses of receivers and checks them. */
@Injectable()
export class ReceiverAddresses {
  private readonly policy: AddressPolicy;

  constructor(
    private readonly resolver: AddressResolver,
    @Inject(webhooksConfig.KEY) { allowedNetworks }: ConfigType<typeof webhooksConfig>,
  ) {
    this.policy = new AddressPolicy(allowedNetworks);
  }

  /**
   * Returns the addresses of the host of a URL if webhooks may be sent to every one of them. The caller must connect to
   * these addresses only: the name may have others a moment later.
   */
  async checkHost({ hostname, protocol }: URL, signal: AbortSignal): Promise<CheckedAddresses> {
    const literal = hostname.replace(/^\[(.*)\]$/, '$1');
    const found = isIP(literal) === 0 ? await this.resolver.resolveAddresses(hostname, signal) : [literal];
    if (found.length === 0) return { error: 'name_not_resolved' };
    const classes = found.map((address) => this.policy.classify(address));
    const isAllowed = classes.every((one) => one === 'exempt' || (one === 'public' && protocol === 'https:'));
    if (!isAllowed) return { error: 'address_refused' };
    return { addresses: found.map((address) => ({ address, family: isIP(address) })) };
  }
}
