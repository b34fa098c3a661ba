"""What growth costs: ``python -m bench.scale`` prints workers, replicas and rows, each at several sizes."""

from bench import cluster, replicas, tables


def main():
    """Measure one after the other, so that none disturbs another."""
    for title, part in (("Dask workers", cluster), ("Replicas and visitors", replicas), ("Rows", tables)):
        print(f"\n{title}\n{'-' * len(title)}", flush=True)
        part.main()


if __name__ == "__main__":
    main()
