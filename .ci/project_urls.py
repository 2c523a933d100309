"""`[project.urls]`: of the repository that is built from, as its host names it.

No address of the repository stands in it, so that a fork or a mirror can't claim to be another. The
workflows of GitHub (and of Gitea and Forgejo) give the server and the repository; a build elsewhere
names the paper alone. A wheel that is built from an sdist has the addresses of the sdist.
"""

import os

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectUrls(MetadataHookInterface):
    def update(self, metadata):
        urls = {"Paper": "https://arxiv.org/abs/1703.10593"}
        server, repository = (os.environ.get(f"GITHUB_{x}") for x in ("SERVER_URL", "REPOSITORY"))
        if server and repository:
            source = f"{server}/{repository}"
            urls["Source"] = source
            urls["Issues"] = f"{source}/issues"
            urls["Changelog"] = f"{source}/blob/HEAD/CHANGELOG.md"
        metadata["urls"] = urls
