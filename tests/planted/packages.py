"""Faults of settings and of the files of ops/, which tests of theirs must see."""

from planted.fault import Edit, Mutation

SOURCES = "app/runtime/sources.py"
OF_SOURCES = ("tests/app/runtime/test_sources.py",)
OF_MANIFESTS = ("tests/ops/test_manifests.py",)
UNIT = "ops/systemd/resonate.service"

PACKAGES = {
    "file_first": Mutation(
        "the settings file goes before the environment",
        OF_SOURCES,
        (
            Edit(
                SOURCES,
                "return [of_file, of_environment, of_options]",
                "return [of_environment, of_file, of_options]",
            ),
        ),
    ),
    "entries_passed_over": Mutation(
        "an entry of the settings file that does not exist is passed over",
        OF_SOURCES,
        (Edit(SOURCES, "    problems += wrong.values()\n", ""),),
    ),
    "shown_secrets": Mutation(
        "`resonate settings` shows a secret",
        OF_SOURCES,
        (Edit(SOURCES, '"…" if name in known.secrets and value not in (None, (), []) else value', "value"),),
    ),
    "empty_secrets": Mutation(
        "an empty file of a secret is none, so that the service makes keys of its own",
        OF_SOURCES,
        (Edit(SOURCES, "    if not lines:\n", "    if len(lines) > LONGEST_SECRET:\n"),),
    ),
    "writable_system": Mutation(
        "the unit of systemd may write everywhere",
        OF_MANIFESTS,
        (Edit(UNIT, "ProtectSystem=strict\n", ""),),
    ),
    "links_of_services": Mutation(
        "a pod is told the ports of services, among them RESONATE_PORT=tcp://…",
        OF_MANIFESTS,
        (Edit("ops/kubernetes/statefulset.yaml", "      enableServiceLinks: false", "      enableServiceLinks: true"),),
    ),
    "entry_by_a_shell": Mutation(
        "in the image a shell stands before the service and gets its signals",
        OF_MANIFESTS,
        (
            Edit(
                "ops/image/Containerfile",
                'ENTRYPOINT ["/opt/resonate/bin/resonate"]\n',
                'ENTRYPOINT ["/bin/sh", "-c", "/opt/resonate/bin/resonate serve; true"]\n',
            ),
        ),
    ),
}
