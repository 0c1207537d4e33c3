"""What services share that ask servers of others: failures in one set of words, breakers, streams, keys."""
