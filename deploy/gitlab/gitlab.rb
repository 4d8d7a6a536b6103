# GitLab's settings (GITLAB_OMNIBUS_CONFIG names this file). One port inside and outside, so that clone addresses are the same.
external_url 'http://gitlab:8929'
gitlab_rails['initial_root_password'] = File.read('/run/secrets/gitlab_root_password').strip
gitlab_rails['usage_ping_enabled'] = false
gitlab_rails['gitlab_default_projects_features_container_registry'] = false
registry['enable'] = false
gitlab_pages['enable'] = false
gitlab_kas['enable'] = false
prometheus_monitoring['enable'] = false
puma['worker_processes'] = 2
sidekiq['concurrency'] = 5
