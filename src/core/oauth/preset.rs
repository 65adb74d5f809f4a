//! The servers that are known without their metadata: one table.
//!
//! Nobody has registered gocred there: the client's name is the person's (`--client-id`,
//! `[oauth."…"]`). What stands here is from each forge's documentation, and was tried against none of
//! them.

use crate::core::{
    forge::Forge,
    oauth::{
        ClientAuth, scopes,
        server::{Secret, Server},
    },
    origin::Origin,
};

/// A row. An endpoint that begins with a slash is below the origin of the host.
struct Preset {
    forge: Forge,
    authorize: &'static str,
    device: &'static str,
    token: &'static str,
    revoke: &'static str,
    scopes: &'static str,
    auth: ClientAuth,
    secret: Secret,
}

const TABLE: [Preset; 6] = [
    Preset {
        // GitHub and GitHub Enterprise. Revoking wants the client's secret and another API.
        forge: Forge::GitHub,
        authorize: "/login/oauth/authorize",
        device: "/login/device/code",
        token: "/login/oauth/access_token",
        revoke: "",
        scopes: "repo",
        auth: ClientAuth::Body,
        secret: Secret::Browser,
    },
    Preset {
        // The device flow is there since 17.2.
        forge: Forge::GitLab,
        authorize: "/oauth/authorize",
        device: "/oauth/authorize_device",
        token: "/oauth/token",
        revoke: "/oauth/revoke",
        scopes: "read_repository write_repository read_api",
        auth: ClientAuth::Body,
        secret: Secret::Never,
    },
    Preset {
        // Gitea and Forgejo.
        forge: Forge::Gitea,
        authorize: "/login/oauth/authorize",
        device: "",
        token: "/login/oauth/access_token",
        revoke: "",
        scopes: "read:user write:repository",
        auth: ClientAuth::Body,
        secret: Secret::Never,
    },
    Preset {
        // Scopes belong to the consumer there.
        forge: Forge::Bitbucket,
        authorize: "/site/oauth2/authorize",
        device: "",
        token: "/site/oauth2/access_token",
        revoke: "",
        scopes: "",
        auth: ClientAuth::Basic,
        secret: Secret::Always,
    },
    Preset {
        // Azure DevOps, by the GUID of its application in Entra.
        forge: Forge::Azure,
        authorize: "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize",
        device: "https://login.microsoftonline.com/organizations/oauth2/v2.0/devicecode",
        token: "https://login.microsoftonline.com/organizations/oauth2/v2.0/token",
        revoke: "",
        scopes: "499b84ac-1321-427f-aa17-267ca6975798/.default offline_access",
        auth: ClientAuth::Body,
        secret: Secret::Never,
    },
    Preset {
        // Its device flow does not know these scopes. A refresh token comes with consent only.
        forge: Forge::Google,
        authorize: "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&prompt=consent",
        device: "",
        token: "https://oauth2.googleapis.com/token",
        revoke: "https://oauth2.googleapis.com/revoke",
        scopes: "openid https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/gerritcodereview",
        auth: ClientAuth::Body,
        secret: Secret::Always,
    },
];

/// Returns the server of a forge at an origin.
pub fn of(forge: Forge, origin: &Origin) -> Option<Server> {
    let preset = TABLE.iter().find(|preset| preset.forge == forge)?;
    let url = |url: &str| match url {
        "" => None,
        path if path.starts_with('/') => Some(format!("{origin}{path}")),
        url => Some(url.to_owned()),
    };
    Some(Server {
        authorize: url(preset.authorize),
        device: url(preset.device),
        token: url(preset.token)?,
        revoke: url(preset.revoke),
        scopes: scopes(preset.scopes),
        client_auth: preset.auth,
        secret: preset.secret,
        ..Server::default()
    })
}

#[cfg(test)]
mod tests {
    use super::{TABLE, of};
    use crate::core::{forge::Forge, oauth::server::endpoint, origin::Origin};

    #[test]
    fn every_endpoint_is_of_the_host_or_of_the_company_behind_it() {
        let origin = Origin::new("https", "ghe.corp.example:8443").unwrap();
        for preset in &TABLE {
            let server = of(preset.forge, &origin).unwrap();
            let urls = [server.authorize, server.device, Some(server.token), server.revoke];
            for url in urls.into_iter().flatten() {
                assert_eq!(endpoint(&url, false).as_ref(), Some(&url));
                let of_host = url.starts_with("https://ghe.corp.example:8443/");
                let cloud = matches!(preset.forge, Forge::Azure | Forge::Google);
                assert!(of_host != cloud, "{url}");
            }
        }
    }

    #[test]
    fn every_forge_has_a_row() {
        let origin = Origin::new("https", "h").unwrap();
        for forge in [
            Forge::Azure,
            Forge::Bitbucket,
            Forge::Gitea,
            Forge::GitHub,
            Forge::GitLab,
            Forge::Google,
        ] {
            assert!(of(forge, &origin).is_some(), "{}", forge.name());
        }
    }
}
